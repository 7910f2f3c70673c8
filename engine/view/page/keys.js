// Keys, and the list of them.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const press = (id) => () => { const button = byId(id); if (!button.disabled && button.offsetParent) button.click(); };
  const opacity = (by) => () => { state.opacity = Math.min(1, Math.max(0, state.opacity + by)); byId("opacity").value = 100 * state.opacity; TE.emit("opacity"); };
  let before = 0.55;
  const KEYS = [
    ["[", "previous image", press("previous")],
    ["]", "next image", press("next")],
    [",", "fewer clusters", () => TE.setLevel(state.level - 1)],
    [".", "more clusters", () => TE.setLevel(state.level + 1)],
    ["r", "the level of labels and tables", press("level-reset")],
    ["o", "overlay on and off", () => { if (state.opacity) before = state.opacity; opacity(state.opacity ? -1 : before)(); }],
    ["-", "overlay fainter", opacity(-0.1)],
    ["+", "overlay stronger", opacity(0.1)],
    ["1", "one image", press("one")],
    ["2", "two images", press("two")],
    ["p", "plane of all tiles", press("plane-on")],
    ["l", "lasso on and off", () => TE.setLasso(!TE.lassoing)],
    ["e", "name clusters", press("edit")],
    ["s", "tiles like the one in the middle", () => { if (!TE.run().films && state.documents[0]) TE.emit("click", { pane: 0, centre: TE.middle() }); }],
    ["0", "the whole image", () => TE.maps.forEach((map) => map.viewer.viewport.goHome())],
    ["Escape", "let go of chosen tiles", () => { TE.setLasso(false); if (state.chosen.length) TE.choose([]); }],
    ["?", "this list", () => byId("help").showModal()],
  ];
  for (const [key, what] of KEYS) {
    const row = make("tr", byId("keys"));
    make("kbd", make("td", row), key);
    make("td", row, what);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (event.target.matches("input[type=text], select, textarea")) return;
    const found = KEYS.find(([key]) => key === event.key);
    if (!found || !state.folder) return;
    event.preventDefault();
    event.stopPropagation();
    found[2]();
  }, true);
  byId("help-on").addEventListener("click", () => byId("help").showModal());
})();
