// What the points of the plane are coloured by: clusters or groups of the shown level, or a column of the list; and its legend.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const NONE = 0xff999999, OTHER = "unknown or other";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let kept = null; // shades of the points, while what decides them stays the same

  const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const rgb = (text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
  const columns = () => TE.plane?.columns || [];
  const column = () => columns().find((one) => one.name === state.colour);
  const valueAt = (one, row) => one.values[one.by === "image" ? TE.plane.image[row] : row];
  const written = (value) => (value === null || value === undefined ? "unknown" : String(Number(value.toPrecision(4))));
  // A page to send has the texts that have colours alone.
  const textOf = (one, row) => {
    if (!one.names) return written(valueAt(one, row));
    if (!one.texts) return one.names[valueAt(one, row) - 1] || OTHER;
    return one.texts[one.by === "image" ? TE.plane.image[row] : row] || "unknown";
  };
  const shadeOf = (one, value) => {
    if (value === null) return NONE;
    const share = one.high > one.low ? (value - one.low) / (one.high - one.low) : 0.5;
    return packed(TE.plane.shades[Math.round(Math.min(1, Math.max(0, share)) * (TE.plane.shades.length - 1))]);
  };
  TE.grey = () => (dark.matches ? 0xff55504a : 0xffc8c8c8);
  // Of every point, as pixels of a canvas have them.
  TE.pointShades = () => {
    const plane = TE.plane, one = column(), level = TE.level(), grey = TE.grey();
    const key = [plane, one, one ? [...state.hiddenValues].join() : level, one ? "" : [...state.hidden].join(), grey];
    if (kept && kept.key.every((value, i) => value === key[i])) return kept.shades;
    const shades = new Uint32Array(plane.count).fill(NONE);
    if (one?.names) {
      const table = [NONE, ...one.colours.map((text) => packed(rgb(text)))].map((shade, code) => (state.hiddenValues.has(code) ? grey : shade));
      for (let row = 0; row < plane.count; row += 1) shades[row] = table[valueAt(one, row)];
    } else if (one) {
      for (let row = 0; row < plane.count; row += 1) shades[row] = shadeOf(one, valueAt(one, row));
    } else if (level) {
      const table = new Uint32Array(256).fill(NONE);
      level.number.forEach((number, fine) => {
        const at = level.numbers.indexOf(number);
        if (at >= 0) table[fine] = state.hidden.has(number) ? grey : packed(rgb(level.colours[at]));
      });
      for (let row = 0; row < plane.count; row += 1) shades[row] = table[plane.fine[row]];
    }
    kept = { key, shades };
    return shades;
  };
  // Whether a point is of what was switched off: it is not under the pointer.
  TE.isOff = (row) => {
    const one = column();
    return one ? !!one.names && state.hiddenValues.has(valueAt(one, row)) : state.hidden.has(TE.cluster(TE.plane.fine[row])?.number);
  };
  // What a point is counted as, in words.
  TE.pointClass = (row) => (column() ? textOf(column(), row) : TE.cluster(TE.plane.fine[row])?.name || `no ${TE.words().cluster}`);
  TE.pointColour = (row) => `#${[0, 8, 16].map((shift) => ((TE.pointShades()[row] >> shift) & 255).toString(16).padStart(2, "0")).join("")}`;
  TE.pointFacts = (row) => [TE.cluster(TE.plane.fine[row])?.name, ...columns().filter((one) => one.name !== TE.run().noun).map((one) => `${one.name} ${textOf(one, row)}`)].filter(Boolean);
  TE.pointName = (row) => TE.plane.names?.[row] || TE.run().images[TE.plane.image[row]].name;

  const drawLegend = () => {
    const one = column(), part = byId("column-part");
    part.hidden = !one || state.panes !== "plane";
    if (part.hidden) return;
    byId("column-title").textContent = `Plane by ${one.name}`;
    const body = byId("column-legend").tBodies[0], counts = new Map();
    for (let row = 0; row < TE.plane.count; row += 1) {
      const code = one.names ? valueAt(one, row) : Number(valueAt(one, row) !== null);
      counts.set(code, (counts.get(code) || 0) + 1);
    }
    body.replaceChildren();
    byId("column-legend").hidden = !one.names;
    byId("column-bar").hidden = byId("column-range").hidden = !!one.names;
    if (!one.names) return drawRange(one, counts);
    for (const code of [...one.names.keys()].map((i) => i + 1).concat(counts.has(0) ? [0] : [])) {
      const row = make("tr", body), label = make("label", make("td", row)), box = make("input", label, "", { type: "checkbox" });
      box.checked = !state.hiddenValues.has(code);
      row.classList.toggle("off", !box.checked);
      box.addEventListener("change", () => {
        state.hiddenValues[box.checked ? "delete" : "add"](code);
        row.classList.toggle("off", !box.checked);
        TE.emit("colour");
      });
      make("span", label, "", { class: "chip" }).style.background = code ? one.colours[code - 1] : "#999999";
      make("span", label, code ? one.names[code - 1] : OTHER);
      make("td", row, (counts.get(code) || 0).toLocaleString("en"));
      const choose = make("button", make("td", row), "Choose", { type: "button", "aria-label": `Choose all of ${code ? one.names[code - 1] : "unknown"}` });
      choose.addEventListener("click", () => TE.choose(TE.rowsWhere((at) => valueAt(one, at) === code)));
    }
  };
  const drawRange = (one, counts) => {
    const bar = byId("column-bar"), context = bar.getContext("2d"), shades = TE.plane.shades;
    [bar.width, bar.height] = [shades.length, 1];
    shades.forEach((shade, i) => { context.fillStyle = `rgb(${shade.join()})`; context.fillRect(i, 0, 1, 1); });
    const unknown = counts.get(0) ? `; ${counts.get(0).toLocaleString("en")} unknown, in grey` : "";
    byId("column-range").textContent = `from ${written(one.low)} on the left to ${written(one.high)} on the right${unknown}`;
    bar.setAttribute("aria-label", `Colours ${byId("column-range").textContent}`);
  };

  TE.rowsWhere = (test) => {
    const rows = [];
    for (let row = 0; row < TE.plane.count; row += 1) if (test(row)) rows.push(row);
    return rows;
  };
  const choice = byId("colour");
  choice.addEventListener("change", () => { state.colour = choice.value; state.hiddenValues.clear(); TE.emit("colour"); });
  TE.nextColour = () => {
    if (byId("plane").hidden || choice.options.length < 2) return;
    choice.selectedIndex = (choice.selectedIndex + 1) % choice.options.length;
    choice.dispatchEvent(new Event("change"));
    byId("spoken").textContent = `coloured by ${choice.selectedOptions[0].textContent}`;
  };
  TE.on("plane-loaded", () => {
    const words = TE.words();
    choice.replaceChildren(...(TE.tree() ? [make("option", null, words.clusters, { value: "" })] : []), ...columns().map((one) => make("option", null, one.name, { value: one.name })));
    const alone = TE.tree() && Object.keys(TE.tree().levels)[0] === "1" && state.level === 1; // one group says nothing
    state.colour = (TE.tree() && !alone) || !columns().length ? "" : columns()[0].name;
    choice.value = state.colour;
    byId("colour-row").hidden = choice.options.length < 2;
    TE.emit("colour");
  });
  TE.on("colour panes", drawLegend);
  TE.on("run", () => { kept = null; state.colour = ""; state.hiddenValues.clear(); byId("column-part").hidden = true; });
})();
