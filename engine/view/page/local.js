// Answers of a page without a server: pictures of slides are files; what lies over them, and planes of volumes, are drawn here, from the
// cells of data/RUN-IMAGE.js.
"use strict";
(() => {
  if (!TE.answers) return;
  const SIDE = 512; // of a tile
  const CELLS_OF_CONFIDENCE = 254; // steps from 0 to 1; 0 is no tile
  const KEPT = 3; // images that were shown last, whose cells are kept beside those that are shown
  const canvas = document.createElement("canvas");

  const unpacked = async (text) => {
    if (!window.DecompressionStream) throw new Error("This browser cannot read the clusters of this page: use one of 2023 or later.");
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
  };
  const ready = new Map(), arrived = new Map();
  TE.cells = (name, texts) => arrived.set(name, texts); // called by the script of an image: overlay -> cells
  const script = (name) => new Promise((done, fail) => {
    const element = document.createElement("script");
    element.src = `data/${name}.js`;
    element.addEventListener("load", () => { element.remove(); done(arrived.get(name)); });
    element.addEventListener("error", () => fail(new Error(`data/${name}.js is not here: the folder is to be sent whole.`)));
    document.head.append(element);
  });
  const load = async (name) => {
    const held = ready.get(name);
    if (held) {
      ready.delete(name);
      ready.set(name, held); // shown last
      return;
    }
    const cells = {};
    for (const [overlay, text] of Object.entries(await script(name))) cells[overlay] = await unpacked(text);
    arrived.delete(name);
    ready.set(name, cells);
    const shown = TE.state.paths.map((path) => parts(path).name);
    for (const other of [...ready.keys()].slice(0, -KEPT)) if (!shown.includes(other)) ready.delete(other);
  };

  const parts = (path) => { const [, run, , image, kind, number] = path.split("/"); return { run, image, kind, number, name: `${run}-${image}` }; };
  const overlaysOf = ({ run, image }) => TE.answers[`runs/${run}/images/${image}`].overlays;
  // Red, green, blue, opacity of each cell, as the server has them.
  const coloursOf = (overlay, run, { k, hide }) => {
    if (overlay.kind === "values") return TE.answers.colours.values;
    const colours = Array.from({ length: 256 }, () => [0, 0, 0, 0]);
    if (overlay.kind === "mask") colours[1] = TE.answers.colours.mask;
    else {
      const level = TE.answers.runs.runs[run].tree.levels[k], hidden = new Set((hide || "").split(",").map(Number));
      const byNumber = new Map(level.numbers.map((number, i) => [number, [1, 3, 5].map((at) => parseInt(level.colours[i].slice(at, at + 2), 16))]));
      level.number.forEach((number, fine) => { if (fine && !hidden.has(number)) colours[fine] = [...byNumber.get(number), 255]; });
    }
    return colours;
  };
  const drawn = (path, values) => {
    const of = parts(path), cells = ready.get(of.name), overlays = overlaysOf(of);
    if (!cells) return ""; // another image is to be shown
    const overlay = overlays.find((one) => one.number === Number(of.number)), sure = overlays.find((one) => one.name === "confidence");
    const colours = coloursOf(overlay, of.run, values), own = cells[overlay.number];
    const confidence = !values.min ? null : overlay.kind === "values" ? own : sure && overlay.kind === "clusters" ? cells[sure.number] : null, least = 1 + Math.round((values.min || 0) * CELLS_OF_CONFIDENCE);
    const [height, width] = overlay.shape, step = 2 ** values.z, top = values.y * SIDE, left = values.x * SIDE;
    const rows = Math.min(SIDE, Math.ceil(height / step) - top), columns = Math.min(SIDE, Math.ceil(width / step) - left);
    [canvas.width, canvas.height] = [columns, rows];
    const context = canvas.getContext("2d"), picture = context.createImageData(columns, rows);
    for (let y = 0, to = 0; y < rows; y += 1) {
      const row = Math.min((top + y) * step + (step >> 1), height - 1) * width;
      for (let x = 0; x < columns; x += 1, to += 4) {
        const at = row + Math.min((left + x) * step + (step >> 1), width - 1);
        if (!confidence || confidence[at] >= least) picture.data.set(colours[own[at]], to);
      }
    }
    context.putImageData(picture, 0, 0);
    return canvas.toDataURL();
  };
  // A plane of a volume, or of what lies over it, as the server has it: the last row is the upper edge.
  const slice = (path, values) => {
    const of = parts(path), isPicture = of.kind === "pictures", document = TE.answers[`runs/${of.run}/images/${of.image}`];
    const one = (isPicture ? document.pictures : document.overlays).find((found) => found.number === Number(of.number));
    const cells = ready.get(of.name);
    if (!cells) return ""; // another image is to be shown
    const own = cells[isPicture ? `p${of.number}` : of.number];
    const sure = document.overlays.find((found) => found.name === "confidence"), least = 1 + Math.round((values.min || 0) * CELLS_OF_CONFIDENCE);
    const limit = !values.min || isPicture ? null : one.kind === "values" ? own : one.kind === "clusters" && sure ? cells[sure.number] : null;
    const colours = isPicture ? Array.from({ length: 256 }, (_, i) => [i, i, i, 255]) : coloursOf(one, of.run, values);
    const steps = [one.shape[1] * one.shape[2], one.shape[2], 1], axis = Number(values.axis), [down, across] = [0, 1, 2].filter((i) => i !== axis);
    const index = Math.floor(((Number(values.at) - one.origin[axis]) / one.lengths[axis]) * one.shape[axis]);
    const first = Math.min(one.shape[axis] - 1, Math.max(0, index)) * steps[axis];
    [canvas.width, canvas.height] = [one.shape[across], one.shape[down]];
    const context = canvas.getContext("2d"), picture = context.createImageData(canvas.width, canvas.height);
    for (let row = 0, to = 0; row < canvas.height; row += 1) {
      for (let column = 0, at = first + (canvas.height - 1 - row) * steps[down]; column < canvas.width; column += 1, at += steps[across], to += 4) {
        if (!limit || limit[at] >= least) picture.data.set(colours[own[at]], to);
      }
    }
    context.putImageData(picture, 0, 0);
    return canvas.toDataURL();
  };
  // What lies at a position, as the server tells it.
  const at = (path, values) => {
    const of = parts(path), cells = ready.get(of.name) || {}, found = { fine: 0, values: {} };
    for (const overlay of overlaysOf(of)) {
      const spacing = overlay.lengths.map((length, axis) => length / overlay.shape[axis]);
      const index = TE.run().axes.map((axis, i) => Math.floor((Number(values[axis]) - overlay.origin[i]) / spacing[i]));
      const inside = index.every((i, axis) => i >= 0 && i < overlay.shape[axis]);
      const cell = inside ? cells[overlay.number]?.[index.reduce((sum, i, axis) => sum * overlay.shape[axis] + i, 0)] || 0 : 0;
      if (overlay.kind === "clusters") {
        found.fine = cell;
        found.tile = { index, start: index.map((i, axis) => overlay.origin[axis] + i * spacing[axis]), lengths: spacing };
      } else if (overlay.kind === "values" && cell && overlay.low !== overlay.high) {
        found.values[overlay.name] = overlay.low + ((cell - 1) / CELLS_OF_CONFIDENCE) * (overlay.high - overlay.low);
      }
    }
    return found;
  };
  TE.local = {
    get: async (path, values) => {
      if (path.endsWith("/at")) return at(path, values);
      if (path.includes("/images/")) await load(parts(path).name);
      return TE.answers[path];
    },
    bytes: async (path) => (await unpacked((await script(`${path.split("/")[1]}-plane`)).plane)).buffer,
    url: (path, values) => {
      const of = parts(path);
      if (path.endsWith("/means")) return `means-${of.run}.png`;
      if (path.endsWith("/thumbnail")) return TE.answers[`runs/${of.run}/images/${of.image}`].pictures.some((one) => one.number === 0) ? `thumbs/${of.name}.jpg` : "";
      if (path.endsWith("/patch")) return ""; // tiles are seen on their slide
      if (path.endsWith("/slice")) return slice(path, values);
      return of.kind === "pictures" ? `tiles/${of.name}-p${of.number}/${values.z}-${values.y}-${values.x}.jpg` : drawn(path, values);
    },
  };
})();
