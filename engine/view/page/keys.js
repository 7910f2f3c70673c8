// Keys, and the list of them.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const press = (id) => () => { const button = byId(id); if (!button.disabled && button.offsetParent) button.click(); };
  const opacity = (by) => () => { state.opacity = Math.min(1, Math.max(0, state.opacity + by)); byId("opacity").value = 100 * state.opacity; TE.emit("opacity"); };
  let before = 0.55;
  // Key, what it does, what happens, and whether it needs the viewer behind the page.
  const KEYS = [
    ["[", "previous image", press("previous")],
    ["]", "next image", press("next")],
    ["/", "search for an image by its name", () => { if (!byId("image-choice").hidden) TE.chooseImage(); }],
    [",", "fewer clusters", () => TE.setLevel(state.level - 1)],
    [".", "more clusters", () => TE.setLevel(state.level + 1)],
    ["r", "the level of labels and tables", press("level-reset")],
    ["o", "overlay on and off", () => { if (state.opacity) before = state.opacity; opacity(state.opacity ? -1 : before)(); }],
    ["-", "overlay fainter", opacity(-0.1)],
    ["+", "overlay stronger", opacity(0.1)],
    ["0", "the whole image", () => TE.maps.forEach((map) => map.viewer.viewport.goHome())],
    ["1", "one image", press("one")],
    ["2", "two images", press("two")],
    ["p", "plane of all tiles, images or subjects", press("plane-on")],
    ["c", "colour of the plane: the next column", () => TE.nextColour()],
    ["l", "lasso on and off", () => TE.setLasso(!TE.lassoing)],
    ["e", "name clusters", press("edit"), true],
    ["s", "tiles like the one at the cursor, else in the middle", () => { if (!TE.run().films && state.documents[0]) TE.emit("click", TE.cursorAt() || { pane: 0, centre: TE.middle() }); }, true],
    ["x", "choose the tile at the cursor or where the planes of a volume meet, or the image; or let go of it", () => TE.chooseAtCursor().catch((error) => TE.say(error.message))],
    ["n", "next chosen tile or image", () => TE.nextChosen(1)],
    ["b", "the chosen one before", () => TE.nextChosen(-1)],
    ["Escape", "let go of the cursor; else of the lasso and of chosen tiles", () => {
      if (TE.cursorAt()) return TE.leaveCursor();
      TE.setLasso(false);
      if (state.chosen.length) TE.choose([]);
    }],
    ["?", "this list", () => byId("help").showModal()],
  ];
  // Keys of what has the focus: cursor.js, plane.js and legend.js.
  const PLACES = [
    ["Enter", `on the image: a cursor on the tile in the middle${TE.answers ? "" : "; again: tiles like the one at the cursor"}`],
    ["← ↑ ↓ →", "on the image: move the cursor by a tile, with Shift by ten; without a cursor, move the image"],
    ["← ↑ ↓ →", "in the plane: the next point in that direction; Enter shows its image"],
    ["PgUp PgDn", "in the plane: closer and farther"],
    ["Space", "in the legend: draw a cluster, or leave it out"],
    ["Enter", "in the legend: choose all of a cluster or group"],
    ["Tab", "from one of these to the next"],
  ];
  for (const [key, what, needs] of [...KEYS.map(([key, what, , needs]) => [key, what, needs]), ...PLACES]) {
    if (needs && TE.answers) continue;
    const row = make("tr", byId("keys"));
    make("kbd", make("td", row), key);
    make("td", row, what);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input[type=text], select, textarea")) return;
    const found = KEYS.find(([key]) => key === event.key);
    if (!found || !state.folder || (found[3] && TE.answers)) return;
    event.preventDefault();
    event.stopPropagation();
    found[2]();
  }, true);
  byId("help-on").addEventListener("click", () => byId("help").showModal());
})();
