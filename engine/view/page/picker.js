// A list of images that is searched by typing: the arrow keys go through it, Enter chooses.
"use strict";
(() => {
  const { make } = TE;
  const MOST = 200; // entries that are drawn
  let count = 0;

  // Replaces the content of `parent`; `choose` gets the number of the entry. Returns { items, set, focus }.
  TE.picker = (parent, label, choose, id = "") => {
    count += 1;
    const list = `picker-${count}`, box = make("span", null, "", { class: "picker" });
    const input = make("input", box, "", {
      type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", "aria-label": label,
      "aria-expanded": "false", "aria-controls": list, "aria-autocomplete": "list", title: `${label}: type to search`, ...(id && { id }),
    });
    const menu = make("ul", box, "", { id: list, role: "listbox", "aria-label": label });
    parent.replaceChildren(box);
    let names = [], chosen = 0, found = [], first = 0, active = 0; // `first` of those that are drawn
    menu.hidden = true;

    const close = () => {
      menu.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
      input.value = names[chosen] ?? "";
    };
    const point = (to) => {
      active = Math.min(Math.max(first, to), Math.min(found.length, first + MOST) - 1);
      for (const row of menu.querySelectorAll("[role=option]")) row.setAttribute("aria-selected", Number(row.dataset.at) === active);
      const row = menu.querySelector("[aria-selected=true]");
      if (!row) return input.removeAttribute("aria-activedescendant");
      input.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    };
    const open = (text) => {
      const words = text.toLowerCase().split(/\s+/).filter(Boolean);
      found = names.map((_, i) => i).filter((i) => words.every((word) => names[i].toLowerCase().includes(word)));
      menu.replaceChildren();
      const middle = words.length ? 0 : found.indexOf(chosen);
      first = Math.max(0, Math.min(middle - MOST / 2, found.length - MOST));
      found.slice(first, first + MOST).forEach((i, at) => make("li", menu, names[i], { role: "option", id: `${list}-${i}`, "data-at": first + at }));
      if (found.length > MOST) make("li", menu, `${(found.length - MOST).toLocaleString("en")} more: type to search`, { class: "quiet", role: "presentation" });
      if (!found.length) make("li", menu, "no such name", { class: "quiet", role: "presentation" });
      menu.hidden = false;
      input.setAttribute("aria-expanded", "true");
      point(middle);
    };
    const take = (at) => {
      const number = found[at];
      if (number === undefined) return;
      const before = chosen;
      chosen = number;
      close();
      if (number !== before) choose(number);
    };

    input.addEventListener("focus", () => { input.select(); open(""); });
    input.addEventListener("click", () => { if (menu.hidden) open(""); });
    input.addEventListener("input", () => open(input.value));
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      const page = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
      if (page) {
        if (menu.hidden) open("");
        else point(active + page);
      } else if (event.key === "Enter") {
        if (menu.hidden) open("");
        else take(active);
      } else if (event.key === "Escape") {
        if (menu.hidden) input.blur();
        else close();
      } else return;
      event.preventDefault();
    });
    menu.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the field keeps the focus
      const row = event.target.closest("[role=option]");
      if (row) take(Number(row.dataset.at));
    });
    return {
      items: (texts) => { names = texts; chosen = 0; close(); },
      set: (number) => { chosen = number; close(); },
      focus: () => input.focus(),
    };
  };
})();
