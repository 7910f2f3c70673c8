// All cases of a run in the plane, tiles or whole images, drawn as pixels so that 100,000 are drawn at once; the chosen ones, and the
// one under the pointer.
"use strict";
(() => {
  const { state, byId } = TE;
  const canvas = byId("scatter"), MOST = 100000; // points that the server sends
  let view = { x: 0, y: 0, size: 1 }, pointed = -1, dots = null;

  TE.loadPlane = async () => {
    const run = state.run;
    if (TE.plane?.run === run) return TE.plane;
    if (!TE.hasTable()) {
      byId("plane-title").textContent = TE.run().saving ? "After the names are saved" : "There is no table of cases";
      return null;
    }
    byId("plane-title").textContent = `Reading the table of ${TE.words().nouns} …`;
    const buffer = await TE.api.bytes(`runs/${run}/plane`).catch((error) => {
      if (run === state.run) byId("plane-title").textContent = `No plane: ${error.message}`;
      throw error;
    });
    if (run !== state.run) return null; // another run was chosen since
    const bytes = new Uint8Array(buffer);
    const start = bytes.indexOf(10) + 1, head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, start)));
    const column = (Type, number) => new Type(buffer, start + 4 * number * head.count, head.count);
    const axes = head.axes.length;
    TE.plane = {
      run, ...head, x: column(Float32Array, 0), y: column(Float32Array, 1),
      centres: head.axes.map((_, i) => column(Float32Array, 2 + i)),
      image: column(Uint32Array, 2 + axes), fine: new Uint8Array(buffer, start + 4 * (3 + axes) * head.count, head.count),
    };
    const range = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
    const [x0, x1] = range(TE.plane.x), [y0, y1] = range(TE.plane.y);
    TE.plane.scale = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, size: Math.max(x1 - x0, y1 - y0, 1e-9) * 1.12 };
    view = { x: 0, y: 0, size: 1 };
    byId("lasso-plane").title = `Draw around ${head.noun}s (l)`;
    const why = head.total > MOST ? "a sample" : "the others have no place";
    const some = head.total > head.count ? ` of ${head.total.toLocaleString("en")}, ${why}` : "";
    byId("plane-title").textContent = `${head.method}: ${head.count.toLocaleString("en")} ${head.noun}s${some}`;
    TE.emit("plane-loaded");
    pointed = TE.isWhole() ? TE.plane.point_of[state.images[0]] : -1;
    return TE.plane;
  };

  // Where a row lies on the canvas, in CSS pixels.
  TE.scatterPoint = (row) => {
    const { scale, x, y } = TE.plane, side = Math.min(canvas.clientWidth, canvas.clientHeight);
    return [
      canvas.clientWidth / 2 + (((x[row] - scale.x) / scale.size - view.x) / view.size) * side,
      canvas.clientHeight / 2 - (((y[row] - scale.y) / scale.size - view.y) / view.size) * side,
    ];
  };

  const draw = () => {
    if (byId("plane").hidden || !TE.plane) return;
    const ratio = window.devicePixelRatio || 1, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d"), picture = context.createImageData(width, height), pixels = new Uint32Array(picture.data.buffer);
    const shades = TE.pointShades(), grey = TE.grey();
    const size = Math.max(2, Math.round((TE.plane.count > 20000 ? 1.5 : TE.plane.count > 3000 ? 2.5 : TE.plane.count > 300 ? 4 : 8) * ratio));
    // As in scatterPoint, without an array for each of 100,000 points.
    const { scale, x, y, count } = TE.plane, grow = (Math.min(canvas.clientWidth, canvas.clientHeight) / view.size / scale.size) * ratio;
    const middle = [width / 2 - (scale.x + view.x * scale.size) * grow, height / 2 + (scale.y + view.y * scale.size) * grow];
    const dot = (row, value, side) => {
      const left = Math.round(middle[0] + x[row] * grow - side / 2), top = Math.round(middle[1] - y[row] * grow - side / 2);
      if (left < 0 || top < 0 || left + side > width || top + side > height) return;
      for (let i = top * width + left, end = i + side * width; i < end; i += width) for (let j = i; j < i + side; j += 1) pixels[j] = value;
    };
    const chosen = new Uint8Array(count), some = state.chosen.length > 0;
    for (const row of state.chosen) chosen[row] = 1;
    for (let row = 0; row < count; row += 1) if (!chosen[row]) dot(row, some ? grey : shades[row], size);
    for (const row of state.chosen) dot(row, shades[row], size + 2);
    context.putImageData(picture, 0, 0);
    dots = context;
    ring(pointed);
    TE.emit("drawn-plane");
  };
  const ring = (row) => {
    if (row < 0 || !dots) return;
    const ratio = window.devicePixelRatio || 1, [x, y] = TE.scatterPoint(row);
    for (const [colour, width] of [["#ffffff", 4], ["#d55e00", 2]]) {
      dots.lineWidth = width * ratio;
      dots.strokeStyle = colour;
      dots.beginPath();
      dots.arc(x * ratio, y * ratio, 7 * ratio, 0, 2 * Math.PI);
      dots.stroke();
    }
  };
  const soon = TE.later(15, draw);
  TE.drawPlane = soon;

  // The row whose tile holds a position of an image, or is nearest to a point of the plane.
  const nearestTile = (image, centre) => {
    if (TE.isWhole()) return TE.plane.point_of[image];
    let best = -1, least = TE.tileSide() || Infinity;
    for (let row = 0; row < TE.plane.count; row += 1) {
      if (TE.plane.image[row] !== image) continue;
      const far = Math.hypot(...centre.map((value, axis) => value - TE.plane.centres[axis][row]));
      if (far < least) [best, least] = [row, far];
    }
    return best;
  };
  const nearestPoint = (left, top, within = 12) => { // without an array for each of 100,000 points
    const { scale, x, y, count } = TE.plane, grow = Math.min(canvas.clientWidth, canvas.clientHeight) / view.size / scale.size;
    const px = (left - canvas.clientWidth / 2) / grow + scale.x + view.x * scale.size, py = -(top - canvas.clientHeight / 2) / grow + scale.y + view.y * scale.size;
    let best = -1, least = (within / grow) ** 2;
    for (let row = 0; row < count; row += 1) {
      const far = (x[row] - px) ** 2 + (y[row] - py) ** 2;
      if (far < least && !TE.isOff(row)) [best, least] = [row, far];
    }
    return best;
  };
  TE.nearestTile = nearestTile;
  TE.rowCentre = (row) => TE.plane.centres.map((column) => column[row]);
  TE.on("pointed", ({ pane, centre }) => {
    if (state.panes !== "plane" || !TE.plane) return;
    pointed = nearestTile(state.images[pane], centre);
    soon();
  });
  const go = async (row) => {
    pointed = row;
    soon();
    if ((await TE.goTo(TE.plane.image[row], TE.rowCentre(row))) && !TE.isWhole()) TE.putCursor(0, TE.rowCentre(row));
  };
  canvas.addEventListener("click", (event) => {
    if (!TE.plane || TE.lassoing) return;
    const row = nearestPoint(event.offsetX, event.offsetY);
    if (row >= 0) go(row);
  });
  const zoom = (factor, left, top) => { // the point at left, top stays where it is
    const side = Math.min(canvas.clientWidth, canvas.clientHeight);
    const x = (left - canvas.clientWidth / 2) / side, y = -(top - canvas.clientHeight / 2) / side;
    const size = Math.min(1, Math.max(0.01, view.size * factor));
    view = size === 1 ? { x: 0, y: 0, size } : { x: view.x + x * (view.size - size), y: view.y + y * (view.size - size), size };
    soon();
  };
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, event.offsetX, event.offsetY);
  }, { passive: false });

  // Under the pointer: what it is, and its picture once the pointer rests.
  const tip = byId("tip");
  const show = TE.later(120, (row) => {
    if (tip.hidden || Number(tip.dataset.row) !== row) return;
    const src = TE.pictureOf({ image: TE.plane.image[row], centre: TE.rowCentre(row) });
    if (src) TE.make("img", null, "", { src, alt: "" }).addEventListener("load", ({ target }) => { if (Number(tip.dataset.row) === row) tip.prepend(target); });
  });
  const told = (row) => [TE.pointName(row), ...TE.pointFacts(row)].join(" · ");
  const hover = (row, left, top) => {
    canvas.style.cursor = row < 0 ? "crosshair" : "pointer";
    tip.hidden = row < 0;
    TE.emit("under", row < 0 ? 0 : TE.cluster(TE.plane.fine[row])?.number);
    if (row < 0) return (tip.dataset.row = -1);
    byId("hover").textContent = told(row);
    if (Number(tip.dataset.row) !== row) {
      tip.dataset.row = row;
      tip.replaceChildren(TE.make("span", null, told(row)));
      show(row);
    }
    const right = left > canvas.clientWidth / 2, low = top > canvas.clientHeight / 2;
    Object.assign(tip.style, { left: right ? "auto" : `${left + 14}px`, right: right ? `${canvas.clientWidth - left + 14}px` : "auto", top: low ? "auto" : `${canvas.offsetTop + top + 14}px`, bottom: low ? `${canvas.clientHeight - top + 14}px` : "auto" });
  };
  canvas.addEventListener("pointermove", (event) => {
    if (!TE.plane || TE.lassoing || event.buttons) return hover(-1);
    hover(nearestPoint(event.offsetX, event.offsetY), event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointerleave", () => hover(-1));

  // Keys: the next point in a direction, within 45 degrees of it; Enter goes to its tile.
  const WAYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const beside = ([dx, dy]) => {
    if (pointed < 0) return nearestPoint(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity);
    const [x, y] = TE.scatterPoint(pointed);
    let best = TE.isOff(pointed) ? -1 : pointed, least = Infinity;
    for (let row = 0; row < TE.plane.count; row += 1) {
      if (TE.isOff(row)) continue;
      const [px, py] = TE.scatterPoint(row), along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (along > 0.5 && across <= along && along + across < least) [best, least] = [row, along + across];
    }
    return best;
  };
  canvas.addEventListener("keydown", (event) => {
    if (!TE.plane || event.ctrlKey || event.metaKey || event.altKey) return;
    if (WAYS[event.key]) {
      pointed = beside(WAYS[event.key]);
      byId("spoken").textContent = byId("hover").textContent = pointed < 0 ? "Nothing that is switched on lies there." : told(pointed);
      soon();
    } else if (event.key === "Enter" && pointed >= 0) go(pointed);
    else if (event.key.startsWith("Page")) zoom(event.key === "PageUp" ? 1 / 1.5 : 1.5, ...(pointed < 0 ? [canvas.clientWidth / 2, canvas.clientHeight / 2] : TE.scatterPoint(pointed)));
    else return;
    event.preventDefault();
  });
  TE.on("image", (pane) => {
    if (pane || !TE.plane || !TE.isWhole()) return;
    pointed = TE.plane.point_of[state.images[0]];
    soon();
  });
  TE.on("level hidden chosen saved panes colour", soon);
  TE.on("saved", () => { if (state.panes === "plane" && !TE.plane && TE.run().table) TE.loadPlane().then(soon, (error) => TE.say(error.message)); });
  TE.on("run", () => { TE.plane = null; pointed = -1; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
  window.addEventListener("resize", soon);
})();
