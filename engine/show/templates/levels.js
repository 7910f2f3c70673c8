// Recolours the maps of all levels: every picture holds the number of each cell at the finest level, the tree says the rest.
"use strict";
(() => {
  const view = JSON.parse(document.getElementById("level-data").textContent);
  const byId = (id) => document.getElementById(id);
  const make = (tag, parent, text = "") => {
    const element = parent.appendChild(document.createElement(tag));
    element.textContent = text;
    return element;
  };
  const finest = view.parents.length;
  const numbersAt = (level) => {
    const numbers = [0];
    view.parents.forEach((parent, i) => numbers.push(i + 1 <= level ? i + 1 : numbers[parent]));
    return numbers.map((number) => (view.into[number] <= level ? view.into[number] : number));
  };
  const rgb = view.colours.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));

  // Pictures of numbers: read once, recoloured at every move.
  const pictures = [];
  const load = (map, canvas) => new Promise((done) => {
    const image = new Image();
    image.onload = () => {
      canvas.width = map.width;
      canvas.height = map.height;
      const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
      context.drawImage(image, 0, 0);
      const pixels = context.getImageData(0, 0, map.width, map.height);
      const numbers = new Uint8Array(map.width * map.height);
      for (let i = 0; i < numbers.length; i += 1) numbers[i] = pixels.data[4 * i];
      pictures.push({ context, pixels, numbers });
      done();
    };
    image.src = map.source;
  });
  const recolour = (numbers) => {
    for (const picture of pictures) {
      const data = picture.pixels.data;
      picture.numbers.forEach((fine, i) => {
        const colour = fine ? rgb[numbers[fine] - 1] : [0, 0, 0];
        data[4 * i] = colour[0];
        data[4 * i + 1] = colour[1];
        data[4 * i + 2] = colour[2];
        data[4 * i + 3] = fine ? 255 : 0;
      });
      picture.context.putImageData(picture.pixels, 0, 0);
    }
  };

  // The tree, top down: number k splits from its parent at level k.
  const drawTree = (level) => {
    const order = [1];
    for (let k = 2; k <= finest; k += 1) order.splice(order.indexOf(view.parents[k - 1]) + 1, 0, k);
    const width = Math.max(320, 26 * finest), height = 14 * finest + 40;
    const x = (k) => ((order.indexOf(k) + 0.5) * width) / finest, y = (k) => 10 + 14 * (k - 1);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("role", "img");
    const draw = (tag, attributes, text = "") => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      element.textContent = text;
      svg.appendChild(element);
    };
    for (let k = 1; k <= finest; k += 1) {
      const faint = k > level ? 0.3 : 1;
      if (k > 1) draw("line", { x1: x(view.parents[k - 1]), x2: x(k), y1: y(k), y2: y(k), stroke: view.colours[k - 1], "stroke-width": 3, opacity: faint });
      draw("line", { x1: x(k), x2: x(k), y1: y(k), y2: y(finest) + 6, stroke: view.colours[k - 1], "stroke-width": 3, opacity: faint });
      draw("text", { x: x(k), y: y(finest) + 22, "text-anchor": "middle", "font-size": 11, fill: "currentColor", opacity: faint }, String(view.labels[k - 1]));
    }
    draw("line", { x1: 0, x2: width, y1: y(level) + 7, y2: y(level) + 7, stroke: "currentColor", "stroke-dasharray": "5 4" });
    byId("level-tree").replaceChildren(svg);
  };

  const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
  const united = (tiles, numbers, level) => {
    const sums = new Array(level).fill(0);
    tiles.forEach((n, i) => { sums[numbers[i + 1] - 1] += n; });
    return sums;
  };
  const tilesOf = (fine) => view.maps.reduce((sum, map) => sum + map.tiles[fine - 1], view.tiles_beyond[fine - 1] || 0);

  // Patches: one sheet of small pictures; each cluster's are drawn from it.
  const MOST = 3;
  const sheet = new Image();
  const drawPatches = (row, chosen, kind, name) => {
    const cell = make("td", row);
    cell.className = "patches";
    if (!chosen.length) return;
    const { side, columns } = view.patches, canvas = make("canvas", cell);
    canvas.width = side * chosen.length + 4 * (chosen.length - 1);
    canvas.height = side;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${kind} patches of ${name}`);
    const context = canvas.getContext("2d");
    chosen.forEach((index, i) => {
      context.drawImage(sheet, (index % columns) * side, Math.floor(index / columns) * side, side, side, i * (side + 4), 0, side, side);
    });
  };
  const since = (k, level) => view.parents.reduce((last, parent, i) => (parent === k && i + 1 <= level ? i + 1 : last), k);
  const partsOf = (k, level) => Array.from({ length: level }, (_, i) => i + 1)
    .filter((part) => (view.into[part] <= level ? view.into[part] : part) === k);  // the cluster, and those merged into it
  const centralOf = (parts, level) => {
    const lists = parts.map((k) => view.patches.central[`${k}@${since(k, level)}`] || []), chosen = [];
    for (let i = 0; i < MOST; i += 1) lists.forEach((list) => { if (i < list.length) chosen.push(list[i]); });
    return chosen.slice(0, MOST);
  };
  const randomOf = (fines) => fines.flatMap((fine) => view.patches.random[fine] || [])
    .sort((a, b) => a[1] - b[1]).slice(0, MOST).map(([index]) => index);
  const borderOf = (k, numbers, level) => {
    const own = view.patches.border[`${k}@${since(k, level)}`] || [];
    return own.filter(([, beyond]) => numbers[beyond] !== k).slice(0, MOST).map(([index]) => index);
  };

  // Nearest clusters: distances of centres, each the mean of its fine clusters' centres, weighted by tiles.
  const centresOf = (level, numbers) => {
    const sums = new Map();
    for (const count of [(fine) => tilesOf(fine), () => 1]) {
      view.centres.forEach((centre, i) => {
        const k = numbers[i + 1], weight = count(i + 1), had = sums.get(k);
        if (!weight || (had && had.count !== count)) return;
        const sum = had || { weight: 0, total: centre.map(() => 0), count };
        sum.weight += weight;
        centre.forEach((value, axis) => { sum.total[axis] += weight * value; });
        sums.set(k, sum);
      });
    }
    return new Map([...sums].map(([k, sum]) => [k, sum.total.map((value) => value / sum.weight)]));
  };
  const nearestTo = (k, centres) => {
    if (!centres.has(k)) return "–";
    const gap = (other) => Math.hypot(...other.map((value, axis) => value - centres.get(k)[axis]));
    const others = [...centres].filter(([other]) => other !== k).map(([other, centre]) => [other, gap(centre)]);
    return others.sort((a, b) => a[1] - b[1]).slice(0, 2).map(([other, far]) => `${view.names[other - 1]} (${far.toFixed(1)})`).join(", ");
  };

  const drawShares = (level, numbers) => {
    const table = byId("level-shares"), shown = view.maps.slice(0, 40);
    table.replaceChildren();
    const head = make("tr", make("thead", table)), galleries = view.patches ? ["Central", "Random", "At the border"] : [];
    ["Cluster", "Tiles", "Share", "Nearest (distance)", ...galleries, ...shown].forEach((entry) => {
      const cell = make("th", head, entry.short || entry.name || entry);
      if (entry.short) cell.title = entry.name;
    });
    const columns = [...view.maps.map((map) => map.tiles), view.tiles_beyond].map((tiles) => united(tiles, numbers, level));
    const all = columns.reduce((sum, part) => sum.map((n, i) => n + part[i]), new Array(level).fill(0));
    const total = all.reduce((a, b) => a + b, 0), body = make("tbody", table), centres = centresOf(level, numbers);
    const order = view.labels.slice(0, level).map((label, i) => [label, i + 1]).sort((a, b) => a[0] - b[0]);
    for (const [, k] of order) {
      const row = make("tr", body), first = make("td", row);
      const chip = make("span", first);
      chip.className = "chip";
      chip.style.background = view.colours[k - 1];
      first.append(view.names[k - 1]);
      make("td", row, all[k - 1].toLocaleString("en")).className = "number";
      make("td", row, percent(all[k - 1], total)).className = "share";
      make("td", row, nearestTo(k, centres)).className = "near";
      if (view.patches) {
        const fines = numbers.map((number, fine) => [number, fine]).filter(([number, fine]) => fine && number === k).map(([, fine]) => fine);
        drawPatches(row, centralOf(partsOf(k, level), level), "central", view.names[k - 1]);
        drawPatches(row, randomOf(fines), "random", view.names[k - 1]);
        drawPatches(row, borderOf(k, numbers, level), "border", view.names[k - 1]);
      }
      shown.forEach((map, i) => {
        make("td", row, percent(columns[i][k - 1], columns[i].reduce((a, b) => a + b, 0))).className = "share";
      });
    }
  };

  const slider = byId("level");
  const show = () => {
    const level = Number(slider.value), numbers = numbersAt(level);
    byId("level-number").textContent = String(level);
    const verdicts = [];
    if (level === view.recommended) verdicts.push("recommended");
    verdicts.push(view.reproducible.includes(level) ? "reproducible" : "not shown to be reproducible");
    byId("level-verdict").textContent = verdicts.join(", ");
    recolour(numbers);
    drawTree(level);
    drawShares(level, numbers);
  };
  const waits = view.maps.map((map) => {
    const figure = make("figure", byId("level-maps")), canvas = make("canvas", figure);
    const title = make("strong", make("figcaption", figure), map.short || map.name);
    if (map.short) title.title = map.name;
    return load(map, canvas);
  });
  if (view.plane) waits.push(load(view.plane, byId("level-plane")));
  if (view.patches) {
    sheet.src = view.patches.source;
    waits.push(sheet.decode());
  }
  Promise.all(waits).then(() => {
    slider.addEventListener("input", show);
    byId("level-reset").addEventListener("click", () => { slider.value = String(view.shown); show(); });
    const level = new URLSearchParams(location.hash.slice(1)).get("level");
    if (level) slider.value = level;
    document.querySelector(".levels").hidden = false;
    show();
  });
})();
