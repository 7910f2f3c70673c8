// The slider over the levels, the overlay's choice, and the legend: names, shares here and in all images, and what is drawn.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");

  // Tiles of each number at the shown level, from tiles of fine clusters.
  const united = (tiles) => {
    const level = TE.level(), sums = new Map(level.numbers.map((number) => [number, 0]));
    (tiles || []).forEach((count, fine) => { if (fine) sums.set(level.number[fine], (sums.get(level.number[fine]) || 0) + count); });
    return sums;
  };
  const total = (sums) => [...sums.values()].reduce((a, b) => a + b, 0);

  // Clusters are drawn on the image; groups only in the plane.
  const isShown = () => TE.isWhole() || state.overlay === "clusters";
  const draw = () => {
    const level = TE.level();
    byId("legend-part").hidden = !level || !isShown() || TE.run().films;
    byId("legend-title").textContent = TE.isWhole() ? "Groups" : "Clusters";
    byId("legend-what").textContent = TE.isWhole() ? "Group" : "Cluster";
    byId("legend-here").hidden = TE.isWhole();
    if (!level || state.editing) return;
    const here = united(state.documents[0]?.tiles), all = united(TE.tree().tiles);
    const body = byId("legend").tBodies[0];
    body.replaceChildren();
    level.numbers.forEach((number, i) => {
      const row = make("tr", body, "", { "data-number": number });
      const label = make("label", make("td", row)), box = make("input", label, "", { type: "checkbox" });
      box.checked = !state.hidden.has(number);
      if (TE.mayHaveTable()) label.title = `Enter: choose all its ${TE.words().nouns}`;
      row.classList.toggle("off", !box.checked);
      box.addEventListener("change", () => {
        state.hidden[box.checked ? "delete" : "add"](number);
        row.classList.toggle("off", !box.checked);
        TE.emit("hidden");
      });
      box.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        TE.chooseCluster(number).catch((error) => TE.say(error.message));
      });
      make("span", label, "", { class: "chip" }).style.background = level.colours[i];
      const into = level.into[number];
      make("span", label, level.names[i] === `${TE.words().cluster} ${number}` ? level.names[i] : `${number} ${level.names[i]}`);
      if (into) make("span", label, `→ ${into}`, { class: "quiet" });
      if (!TE.isWhole()) make("td", row, percent(here.get(number), total(here)));
      make("td", row, TE.isWhole() ? String(all.get(number)) : percent(all.get(number), total(all)));
      if (!TE.mayHaveTable()) return;
      const choose = make("button", make("td", row), "Choose", { type: "button", "aria-label": `Choose all ${TE.words().nouns} of ${level.names[i]}` });
      choose.addEventListener("click", () => TE.chooseCluster(number).catch((error) => TE.say(error.message)));
    });
  };

  const drawLevel = () => {
    const tree = TE.tree(), slider = byId("level");
    const levels = tree ? Object.keys(tree.levels).map(Number) : [];
    byId("levels").hidden = levels.length < 2 || !isShown();
    byId("levels-title").textContent = `Number of ${TE.words().clusters}`;
    slider.setAttribute("aria-label", byId("levels-title").textContent);
    if (!levels.length) return;
    [slider.min, slider.max, slider.value] = [Math.min(...levels), Math.max(...levels), state.level];
    byId("level-number").textContent = state.level;
    const verdicts = [];
    if (state.level === tree.recommended) verdicts.push("recommended");
    if (state.level === 1) verdicts.push(`no number of ${TE.words().clusters} comes back`);
    else verdicts.push(tree.reproducible.includes(state.level) ? "reproducible" : "not shown to be reproducible");
    if (state.level === tree.shown) verdicts.push("in labels and tables");
    byId("level-verdict").textContent = verdicts.join(", ");
    slider.setAttribute("aria-valuetext", `${state.level} ${TE.words().clusters}, ${verdicts.join(", ")}`);
  };
  TE.setLevel = (level) => {
    const tree = TE.tree();
    if (!tree || !tree.levels[level] || level === state.level || state.editing) return;
    state.level = level;
    TE.emit("level");
  };

  const drawOver = () => {
    const found = state.documents[0], choice = byId("overlay");
    byId("over").hidden = !found || !TE.overlayNames(0).length || TE.run().films;
    if (!found) return;
    const names = TE.overlayNames(0);
    choice.replaceChildren(...names.map((name) => make("option", null, name, { value: name })), make("option", null, "nothing", { value: "" }));
    choice.value = state.overlay;
    byId("opacity").value = Math.round(state.opacity * 100);
    byId("sure-row").hidden = state.overlay !== "clusters" || !names.includes("confidence");
    const overlay = TE.overlayOf(0), scale = byId("scale");
    byId("least-row").hidden = overlay?.kind !== "values";
    drawLeast();
    const maps = found.overlays.some((one) => one.kind !== "mask"), none = !maps && TE.run().maps ? "The run has no map of this image." : "";
    scale.textContent = overlay?.kind === "values" ? `clear ${overlay.low.toPrecision(3)} … opaque ${overlay.high.toPrecision(3)}${overlay.name === "confidence" ? "" : ", of this image"}` : none;
    scale.hidden = !scale.textContent;
  };

  byId("level").addEventListener("input", (event) => TE.setLevel(Number(event.target.value)));
  byId("level-reset").addEventListener("click", () => TE.setLevel(TE.tree().shown));
  byId("overlay").addEventListener("change", (event) => { Object.assign(state, { overlay: event.target.value, overlayChosen: true, least: 0 }); TE.emit("overlay"); });
  byId("opacity").addEventListener("input", (event) => { state.opacity = event.target.value / 100; TE.emit("opacity"); });
  byId("sure").addEventListener("input", (event) => {
    state.sure = event.target.value / 100;
    byId("sure-number").textContent = `${event.target.value} %`;
    TE.emit("sure");
  });
  const drawLeast = () => {
    const overlay = TE.overlayOf(0);
    if (overlay?.kind !== "values") return;
    byId("least").value = Math.round(100 * state.least);
    byId("least-number").textContent = (overlay.low + state.least * (overlay.high - overlay.low)).toPrecision(3);
    byId("least").setAttribute("aria-valuetext", byId("least-number").textContent);
  };
  byId("least").addEventListener("input", (event) => {
    state.least = event.target.value / 100;
    drawLeast();
    TE.emit("least");
  });
  byId("all-on").addEventListener("click", () => { state.hidden.clear(); TE.emit("hidden"); draw(); });
  byId("all-off").addEventListener("click", () => { state.hidden = new Set(TE.level().numbers); TE.emit("hidden"); draw(); });
  TE.on("level", () => { drawLevel(); draw(); });
  TE.on("image overlay saved run", () => { drawLevel(); draw(); drawOver(); });
  TE.drawLegend = draw;

  // Which row lies under the pointer.
  TE.on("under", (number) => {
    for (const row of byId("legend").tBodies[0].rows) row.classList.toggle("under", Number(row.dataset.number) === number);
  });
})();
