// The lasso, on the plane and on a slide: the tiles inside are chosen, and seen in both and as pictures.
"use strict";
(() => {
  const { state, byId } = TE;
  const SHOWN = 15, SHOWN_WHOLE = 60;
  TE.lassoing = false;

  const inside = (polygon, x, y) => {
    let found = false;
    for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i, i += 1) {
      const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) found = !found;
    }
    return found;
  };
  const sampled = () => {
    if (!TE.plane) return "";
    const whole = TE.tree() && !TE.isWhole() ? TE.tree().tiles.reduce((a, b) => a + b, 0) : TE.plane.total;
    return whole > TE.plane.count ? `; counted in a sample of ${TE.plane.count.toLocaleString("en")} of ${whole.toLocaleString("en")} ${TE.words().nouns}` : "";
  };
  const choose = (rows) => {
    state.chosen = rows;
    byId("chosen-part").hidden = !rows.length;
    byId("chosen-number").textContent = rows.length.toLocaleString("en");
    const counts = new Map();
    for (const row of rows) {
      const name = TE.pointClass(row);
      counts.set(name, (counts.get(name) || 0) + 1);
    }
    const images = new Set(rows.map((row) => TE.plane.image[row])).size;
    const said = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 6).map(([name, n]) => `${name} ${((100 * n) / rows.length).toFixed(0)} %`);
    const where = TE.isWhole() ? "" : `; on ${images} of ${TE.run().images.length} ${TE.run().plural}`;
    const most = TE.isWhole() ? SHOWN_WHOLE : SHOWN, few = rows.length > most ? `; ${most} of them are below` : "";
    byId("chosen-note").textContent = `${said.join(", ")}${where}${sampled()}${few}`;
    const box = byId("chosen"), step = Math.max(1, rows.length / most);
    box.replaceChildren();
    for (let i = 0; i < Math.min(most, rows.length); i += 1) {
      const row = rows[Math.floor(i * step)];
      TE.patch(box, { image: TE.plane.image[row], centre: TE.rowCentre(row), fine: TE.plane.fine[row], colour: TE.pointColour(row), name: TE.pointName(row) });
    }
    TE.emit("chosen");
  };
  TE.choose = choose;
  const all = () => Array.from({ length: TE.plane.count }, (_, row) => row);

  // Draws while the pointer is down, where it `can`; `done` gets the polygon in CSS pixels of the element.
  const drawn = (element, done, can = () => true) => {
    let polygon = null, line = null;
    element.addEventListener("pointerdown", (event) => {
      if (!TE.lassoing || event.button || !can()) return;
      event.stopPropagation();
      event.preventDefault();
      const box = element.getBoundingClientRect();
      line = TE.make("canvas", element.parentElement, "", { class: "points" });
      line.style.inset = "auto";
      Object.assign(line.style, { left: `${element.offsetLeft}px`, top: `${element.offsetTop}px`, width: `${box.width}px`, height: `${box.height}px` });
      [line.width, line.height] = [box.width, box.height];
      polygon = [[event.clientX - box.x, event.clientY - box.y]];
      element.setPointerCapture(event.pointerId);
    }, true);
    element.addEventListener("pointermove", (event) => {
      if (!polygon) return;
      event.stopPropagation();
      const box = element.getBoundingClientRect(), context = line.getContext("2d");
      polygon.push([event.clientX - box.x, event.clientY - box.y]);
      context.clearRect(0, 0, line.width, line.height);
      context.beginPath();
      polygon.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y));
      context.closePath();
      for (const [colour, width] of [["#ffffff", 4], ["#d55e00", 2]]) {
        context.strokeStyle = colour;
        context.lineWidth = width;
        context.stroke();
      }
    }, true);
    element.addEventListener("pointerup", (event) => {
      if (!polygon) return;
      event.stopPropagation();
      line.remove();
      const closed = polygon;
      polygon = null;
      if (closed.length > 2 && TE.plane) done(closed);
    }, true);
  };
  drawn(byId("scatter"), (polygon) => choose(all().filter((row) => inside(polygon, ...TE.scatterPoint(row)))));
  TE.on("maps", () => TE.maps.forEach((map, pane) => drawn(map.stage, (polygon) => {
    const own = all().filter((row) => TE.plane.image[row] === state.images[pane]);
    choose(own.filter((row) => {
      const point = map.viewer.viewport.viewportToViewerElementCoordinates(map.toView(...TE.rowCentre(row)));
      return inside(polygon, point.x, point.y);
    }));
  }, () => !TE.isWhole())));

  TE.setLasso = async (on) => {
    if (on) await TE.loadPlane().catch((error) => TE.say(error.message));
    TE.lassoing = on && !!TE.plane;
    byId("lasso-plane").setAttribute("aria-pressed", TE.lassoing);
    TE.maps.forEach((map) => map.viewer.setMouseNavEnabled(!TE.lassoing || TE.isWhole()));
  };
  byId("lasso-plane").addEventListener("click", () => TE.setLasso(!TE.lassoing));
  byId("lasso-clear").addEventListener("click", () => choose([]));
  TE.on("run", () => { byId("chosen-title").textContent = `Chosen ${TE.words().nouns}`; state.chosen = []; byId("chosen-part").hidden = true; TE.setLasso(false); });
})();
