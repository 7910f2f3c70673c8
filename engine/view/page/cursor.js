// A cursor on a tile, moved by keys: what the pointer tells, and what a click and a lasso do, without a pointer.
"use strict";
(() => {
  const { state, byId } = TE;
  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const FAST = 10; // tiles, with Shift
  let cursor = null; // { pane, centre, index }

  const gridOf = (pane) => {
    const overlays = state.documents[pane]?.overlays || [];
    return overlays.find((one) => one.kind === "clusters") || overlays[0];
  };
  const sides = (grid) => grid.lengths.map((length, axis) => length / grid.shape[axis]);
  const indexOf = (grid, centre) => sides(grid).map((side, axis) => Math.min(grid.shape[axis] - 1, Math.max(0, Math.floor((centre[axis] - grid.origin[axis]) / side))));

  const put = (pane, index) => {
    const grid = gridOf(pane), centre = sides(grid).map((side, axis) => grid.origin[axis] + (index[axis] + 0.5) * side);
    cursor = { pane, index, centre };
    TE.maps.forEach((map, other) => map.setCursor(other === pane ? centre : null, sides(grid)[1]));
    TE.emit("hover", { pane, centre, speak: true });
  };
  const leave = () => {
    cursor = null;
    TE.maps.forEach((map) => map.setCursor(null));
  };
  TE.cursorAt = () => cursor;
  TE.leaveCursor = leave;
  TE.putCursor = (pane, centre) => { const grid = gridOf(pane); if (grid && TE.planar()) put(pane, indexOf(grid, centre)); };

  const press = (pane, event) => {
    const grid = gridOf(pane), step = STEPS[event.key];
    if (!grid || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Enter") {
      if (cursor?.pane === pane) TE.emit("click", { pane, centre: cursor.centre });
      else TE.putCursor(pane, TE.maps[pane].toPlace(TE.maps[pane].viewer.viewport.getCenter()));
    } else if (step && cursor?.pane === pane) {
      const by = event.shiftKey ? FAST : 1;
      put(pane, cursor.index.map((i, axis) => Math.min(grid.shape[axis] - 1, Math.max(0, i + by * step[axis]))));
    } else return false;
    return true;
  };
  TE.on("maps", () => TE.maps.forEach((map, pane) => map.stage.addEventListener("keydown", (event) => {
    if (!press(pane, event)) return;
    event.preventDefault();
    event.stopPropagation();
  }, true)));
  TE.on("image", (pane) => { if (cursor?.pane === pane) leave(); });
  TE.on("run panes", leave);
  // Where the keys are: at the cursor; of a volume, where its planes meet. Null where they are nowhere.
  const spot = () => cursor || (TE.planar() || !state.documents[0] ? null : { pane: 0, centre: TE.cutsAt() });
  // The row of the plane whose tile is there; -1 where the plane has none.
  const rowAt = () => {
    if (!TE.plane || (!spot() && !TE.isWhole())) return -1;
    return TE.isWhole() ? TE.plane.point_of[state.images[0]] : TE.nearestTile(state.images[spot().pane], spot().centre);
  };
  TE.chooseAtCursor = async () => {
    if ((!spot() && !TE.isWhole()) || !(await TE.loadPlane())) return;
    const row = rowAt();
    if (row < 0) byId("spoken").textContent = "Nothing of the table is here.";
    else TE.choose(state.chosen.includes(row) ? state.chosen.filter((one) => one !== row) : [...state.chosen, row]);
  };
  // The next chosen tile, or the one before it: from the cursor, else the first.
  TE.nextChosen = async (by) => {
    const rows = state.chosen;
    if (!rows.length) return;
    const from = rows.indexOf(rowAt()), row = rows[from < 0 ? (by > 0 ? 0 : rows.length - 1) : (from + by + rows.length) % rows.length];
    if ((await TE.goTo(TE.plane.image[row], TE.rowCentre(row))) && !TE.isWhole()) TE.putCursor(0, TE.rowCentre(row));
  };
  TE.chooseCluster = async (number) => {
    if (!(await TE.loadPlane())) return;
    const level = TE.level(), rows = TE.rowsWhere((row) => TE.plane.fine[row] && level.number[TE.plane.fine[row]] === number);
    TE.choose(rows);
    byId("spoken").textContent = `${rows.length.toLocaleString("en")} ${TE.words().nouns} chosen; n and b go from one to the next`;
  };
})();
