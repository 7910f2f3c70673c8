// All tiles in the plane, drawn as pixels so that 100,000 are drawn at once; the chosen ones, and the one under the pointer.
"use strict";
(() => {
  const { state, byId } = TE;
  const canvas = byId("scatter");
  let view = { x: 0, y: 0, size: 1 }, pointed = -1, dots = null;

  TE.loadPlane = async () => {
    const run = state.run;
    if (TE.plane?.run === run) return TE.plane;
    if (!TE.hasTable()) {
      byId("plane-title").textContent = TE.run().saving ? "After the names are saved" : "There is no table of tiles";
      return null;
    }
    byId("plane-title").textContent = "Reading the table of tiles …";
    const buffer = await TE.api.bytes(`runs/${run}/plane`), bytes = new Uint8Array(buffer);
    if (run !== state.run) return null; // another run was chosen since
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
    TE.plane.scale = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, size: Math.max(x1 - x0, y1 - y0, 1e-9) * 1.06 };
    view = { x: 0, y: 0, size: 1 };
    const some = head.total > head.count ? ` of ${head.total.toLocaleString("en")}, a sample` : "";
    byId("plane-title").textContent = `${head.method}: ${head.count.toLocaleString("en")} tiles${some}`;
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
    const level = TE.level(), hidden = state.hidden;
    const grey = matchMedia("(prefers-color-scheme: dark)").matches ? 0xff55504a : 0xffc8c8c8;
    const colour = new Uint32Array(256).fill(0xff999999);
    level?.number.forEach((number, fine) => {
      const [r, g, b] = [1, 3, 5].map((i) => parseInt(level.colours[level.numbers.indexOf(number)]?.slice(i, i + 2), 16));
      colour[fine] = hidden.has(number) ? grey : ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    });
    const size = Math.max(2, Math.round((TE.plane.count > 20000 ? 1.5 : TE.plane.count > 3000 ? 2.5 : 4) * ratio));
    // As in scatterPoint, without an array for each of 100,000 points.
    const { scale, x, y, fine, count } = TE.plane, grow = (Math.min(canvas.clientWidth, canvas.clientHeight) / view.size / scale.size) * ratio;
    const middle = [width / 2 - (scale.x + view.x * scale.size) * grow, height / 2 + (scale.y + view.y * scale.size) * grow];
    const dot = (row, value, side) => {
      const left = Math.round(middle[0] + x[row] * grow - side / 2), top = Math.round(middle[1] - y[row] * grow - side / 2);
      if (left < 0 || top < 0 || left + side > width || top + side > height) return;
      for (let i = top * width + left, end = i + side * width; i < end; i += width) for (let j = i; j < i + side; j += 1) pixels[j] = value;
    };
    const chosen = new Uint8Array(count), some = state.chosen.length > 0;
    for (const row of state.chosen) chosen[row] = 1;
    for (let row = 0; row < count; row += 1) if (!chosen[row]) dot(row, some ? grey : colour[fine[row]], size);
    for (const row of state.chosen) dot(row, colour[fine[row]], size + 2);
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
    let best = -1, least = TE.tileSide() || Infinity;
    for (let row = 0; row < TE.plane.count; row += 1) {
      if (TE.plane.image[row] !== image) continue;
      const far = Math.hypot(...centre.map((value, axis) => value - TE.plane.centres[axis][row]));
      if (far < least) [best, least] = [row, far];
    }
    return best;
  };
  const nearestPoint = (x, y, within = 12) => {
    let best = -1, least = within;
    for (let row = 0; row < TE.plane.count; row += 1) {
      const [px, py] = TE.scatterPoint(row), far = Math.hypot(px - x, py - y);
      if (far < least) [best, least] = [row, far];
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
    if (await TE.goTo(TE.plane.image[row], TE.rowCentre(row))) TE.putCursor(0, TE.rowCentre(row));
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

  // Keys: the next point in a direction, within 45 degrees of it; Enter goes to its tile.
  const WAYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const beside = ([dx, dy]) => {
    if (pointed < 0) return nearestPoint(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity);
    const [x, y] = TE.scatterPoint(pointed);
    let best = pointed, least = Infinity;
    for (let row = 0; row < TE.plane.count; row += 1) {
      const [px, py] = TE.scatterPoint(row), along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (along > 0.5 && across <= along && along + across < least) [best, least] = [row, along + across];
    }
    return best;
  };
  canvas.addEventListener("keydown", (event) => {
    if (!TE.plane || event.ctrlKey || event.metaKey || event.altKey) return;
    if (WAYS[event.key]) {
      pointed = beside(WAYS[event.key]);
      const cluster = TE.cluster(TE.plane.fine[pointed]);
      byId("spoken").textContent = [cluster?.name, TE.run().images[TE.plane.image[pointed]].name].filter(Boolean).join(", on ");
      soon();
    } else if (event.key === "Enter" && pointed >= 0) go(pointed);
    else if (event.key.startsWith("Page")) zoom(event.key === "PageUp" ? 1 / 1.5 : 1.5, ...(pointed < 0 ? [canvas.clientWidth / 2, canvas.clientHeight / 2] : TE.scatterPoint(pointed)));
    else return;
    event.preventDefault();
  });
  TE.on("level hidden chosen saved panes", soon);
  TE.on("saved", () => { if (state.panes === "plane" && !TE.plane && TE.run().table) TE.loadPlane().then(soon, (error) => TE.say(error.message)); });
  TE.on("run", () => { TE.plane = null; pointed = -1; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
  window.addEventListener("resize", soon);
})();
