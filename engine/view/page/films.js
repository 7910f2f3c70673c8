// Films with their scores or probabilities, in the order of one of them, and a map over each: errors, evidence, Grad-CAM.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const STEP = 60;
  let table = null, shown = 0, order = [];
  const choice = { sort: "", down: true, label: "", map: 0, opacity: 0.5 };

  const load = async () => {
    const wait = make("div", null, "Reading the table of films …", { class: "bar" });
    byId("films").replaceChildren(wait);
    table = await TE.api.get(`runs/${state.run}/films`);
    choice.sort = table.first_score;
    choice.map = table.first_map;
    build();
  };
  const build = () => {
    const pane = byId("films"), bar = make("div", null, "", { class: "bar" });
    pane.replaceChildren(bar);
    const pick = (text, name, options, change) => {
      const label = make("label", bar, `${text} `), box = make("select", label);
      for (const [value, said] of options) make("option", box, said, { value });
      box.value = choice[name];
      box.addEventListener("change", () => { choice[name] = box.value; change(); });
    };
    pick("Sorted by", "sort", [...Object.keys(table.scores).map((name) => [name, called(name)]), ["", "name"]], sort);
    const turn = make("button", bar, "highest first", { type: "button", "aria-pressed": "true" });
    turn.addEventListener("click", () => { choice.down = !choice.down; turn.textContent = choice.down ? "highest first" : "lowest first"; sort(); });
    const labels = [...new Set(table.texts.label || [])].sort();
    if (labels.length > 1) pick("Label", "label", [["", "all"], ...labels.map((name) => [name || " ", name || "none"])], sort);
    if (table.maps.length) {
      pick("Over the film", "map", [...table.maps.map((name, i) => [i, called(name)]), [-1, "nothing"]], redraw);
      const label = make("label", bar, "Opacity "), slider = make("input", label, "", { type: "range", min: 0, max: 100, value: 100 * choice.opacity });
      slider.addEventListener("input", () => {
        choice.opacity = slider.value / 100;
        pane.querySelectorAll("img.over").forEach((image) => { image.style.opacity = choice.opacity; });
      });
    }
    make("span", bar, "", { class: "quiet", id: "films-note" });
    make("div", pane, "", { class: "gallery", id: "gallery" }).addEventListener("scroll", more);
    sort();
  };
  const sort = () => {
    const values = table.scores[choice.sort], names = table.texts.name;
    order = names.map((_, row) => row).filter((row) => !choice.label || (table.texts.label[row] || " ") === choice.label);
    if (values) order = order.filter((row) => values[row] !== null);
    const sign = choice.down ? -1 : 1;
    order.sort((a, b) => (values ? sign * (values[a] - values[b]) : sign * -names[a].localeCompare(names[b])));
    byId("films-note").textContent = `${order.length.toLocaleString("en")} films${table.total > names.length ? ` of the first ${names.length.toLocaleString("en")}` : ""}${table.left_out ? `; ${table.left_out.toLocaleString("en")} are left out by the run` : ""}`;
    redraw();
  };
  const redraw = () => {
    byId("gallery").replaceChildren();
    shown = 0;
    add();
  };
  const more = ({ target }) => { if (target.scrollTop + target.clientHeight > target.scrollHeight - 400) add(); };
  const add = () => {
    const gallery = byId("gallery");
    for (const row of order.slice(shown, shown + STEP)) {
      const name = table.texts.name[row], figure = make("figure", gallery, "", { class: "film" });
      const view = make("button", figure, "", { type: "button", class: "view", "aria-label": `${name}: larger` });
      const film = `runs/${state.run}/films/${table.rows[row]}`;
      make("img", view, "", { src: TE.api.url(film), alt: `film ${name}`, loading: "lazy" });
      if (table.maps.length && Number(choice.map) >= 0) {
        make("img", view, "", { src: TE.api.url(`${film}/maps/${choice.map}`), alt: "", class: "over", loading: "lazy" }).style.opacity = choice.opacity;
      }
      const caption = make("figcaption", figure), value = table.scores[choice.sort]?.[row];
      make("p", caption, name, { class: "more", title: name });
      const words = [value !== undefined && value.toPrecision(3), table.texts.label?.[row], table.texts.named?.[row] && `named ${table.texts.named[row]}`, table.texts.part?.[row]];
      make("p", caption, words.filter(Boolean).join(" · "), { class: "more quiet" });
      view.addEventListener("click", () => {
        const large = figure.classList.toggle("large");
        caption.querySelector(".scores")?.remove();
        if (large) make("p", caption, Object.entries(table.scores).map(([score, all]) => `${called(score)} ${all[row] === null ? "–" : all[row].toPrecision(3)}`).join(" · "), { class: "more quiet scores" });
        if (large) figure.scrollIntoView({ block: "nearest" });
      });
    }
    shown = Math.min(order.length, shown + STEP);
  };
  const called = (name) => name.replaceAll("_", " ");
  TE.on("run", () => {
    byId("films").hidden = !TE.run().films;
    if (TE.run().films) load().catch((error) => { TE.say(error.message); byId("films").replaceChildren(); });
  });
})();
