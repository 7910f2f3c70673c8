// A volume as three planes through one position: each with what lies over it, a slider, and lines where the others cut it.
// Two volumes side by side show the planes through the same position, in millimetres.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const NAMES = ["axial", "coronal", "sagittal"];
  const parts = [[], []]; // of each pane, one of each axis
  let at = null, shownRun = -1;

  const picture = (pane) => state.documents[pane].pictures[state.pictures[pane]];
  const others = (axis) => [0, 1, 2].filter((one) => one !== axis); // rows, columns
  const isShown = (pane) => state.documents[pane] && parts[pane].length && (pane === 0 || state.panes === "two");
  const draw = () => { if (!TE.planar() && !TE.run().films) [0, 1].filter(isShown).forEach(drawPane); };
  const drawPane = (pane) => {
    const one = picture(pane), overlay = TE.overlayOf(pane);
    const share = (i) => (at[i] - one.origin[i]) / one.lengths[i], inside = (i) => share(i) >= 0 && share(i) < 1;
    parts[pane].forEach((part, axis) => {
      const [down, across] = others(axis), spot = at[axis].toFixed(1);
      fit(part, one.lengths[across], one.lengths[down]);
      part.base.hidden = !inside(axis) || one.number < 0;
      part.over.hidden = !inside(axis) || !overlay;
      if (!part.base.hidden) set(part.base, TE.api.url(`${TE.path(pane)}/pictures/${one.number}/slice`, { axis, at: spot }));
      if (!part.over.hidden) {
        const values = { axis, at: spot, ...(overlay.kind === "pictures" ? {} : TE.chosenColours()) };
        set(part.over, TE.api.url(`${TE.path(pane)}/${TE.overlayPath(overlay)}/slice`, values));
        part.over.style.opacity = state.opacity;
        // Rows are flipped: the upper edge of the picture is the last row.
        const end = (o, i) => o.origin[i] + o.lengths[i];
        part.over.style.left = `${(100 * (overlay.origin[across] - one.origin[across])) / one.lengths[across]}%`;
        part.over.style.width = `${(100 * overlay.lengths[across]) / one.lengths[across]}%`;
        part.over.style.top = `${(100 * (end(one, down) - end(overlay, down))) / one.lengths[down]}%`;
        part.over.style.height = `${(100 * overlay.lengths[down]) / one.lengths[down]}%`;
      }
      [part.lineAcross.hidden, part.lineDown.hidden] = [!inside(down), !inside(across)];
      part.lineAcross.style.top = `${100 * (1 - share(down))}%`;
      part.lineDown.style.left = `${100 * share(across)}%`;
      part.slider.value = Math.floor(share(axis) * one.shape[axis]);
      part.output.textContent = `${(at[axis] / 1000).toFixed(1)} mm`;
      part.outside.hidden = inside(axis);
      part.slider.setAttribute("aria-valuetext", part.output.textContent + (inside(axis) ? "" : ", outside of this volume"));
    });
  };
  const set = (image, url) => { if (image.dataset.url !== url) { image.dataset.url = url; image.src = url; } };
  const fit = (part, width, height) => {
    const room = part.frame.getBoundingClientRect(), scale = Math.min(room.width / width, room.height / height);
    Object.assign(part.box.style, { width: `${width * scale}px`, height: `${height * scale}px`, left: `${(room.width - width * scale) / 2}px`, top: `${(room.height - height * scale) / 2}px` });
  };
  const soon = TE.later(15, draw);
  TE.cutsAt = () => [...at];

  const build = (pane) => {
    const box = byId(`pane-${pane}`), found = state.documents[pane], one = picture(pane);
    const bar = make("div", null, "", { class: "bar" });
    box.replaceChildren(bar);
    if (found.pictures.length > 1) {
      const choice = make("select", bar, "", { "aria-label": "Picture" });
      found.pictures.forEach((p, i) => make("option", choice, p.name, { value: i }));
      choice.value = state.pictures[pane];
      choice.addEventListener("change", () => { state.pictures[pane] = Number(choice.value); draw(); });
    }
    bare(pane);
    const cuts = make("div", box, "", { class: "cuts" });
    parts[pane] = NAMES.map((name, axis) => cutOf(pane, cuts, name, axis));
    const facts = make("div", cuts, "", { class: "cut facts" });
    make("p", facts, found.name);
    make("p", facts, `${one.shape.join(" × ")} voxels of ${one.lengths.map((l, i) => Number((l / one.shape[i] / 1000).toPrecision(3))).join(" × ")} mm (z, y, x)`, { class: "quiet" });
    const ends = found.marks.map((marks) => marks.join("")).join(""), oblique = ends.length > 6 ? " Two letters: the axis points between two directions." : "";
    if (ends) make("p", facts, `R, L: the patient's right and left, A, P: anterior and posterior, S, I: superior and inferior, as the file states them.${oblique}`, { class: "quiet" });
    for (const note of found.assumed) make("p", facts, `Not certain: ${note}.`, { class: "warning" });
    make("p", facts, "Click or drag to move the three planes; the wheel goes through slices.", { class: "quiet" });
  };
  // Side by side, both panes have a bar, so that their planes are equally large.
  const bare = (pane) => {
    const bar = byId(`pane-${pane}`).querySelector(".bar");
    if (bar) bar.hidden = state.panes !== "two" && !bar.querySelector("select");
  };
  const cutOf = (pane, cuts, name, axis) => {
    const one = picture(pane), [down, across] = others(axis), step = one.lengths[axis] / one.shape[axis];
    const cut = make("div", cuts, "", { class: "cut" });
    make("span", cut, name, { class: "name" });
    const marks = state.documents[pane].marks, sides = { top: [down, 1], bottom: [down, 0], left: [across, 0], right: [across, 1] };
    const frame = make("div", cut, "", { class: "frame" }), box = make("div", frame, "", { class: "box" });
    const said = marks.length ? `: ${marks[down][1]} is up, ${marks[across][1]} is on the right` : ""; // no file states the sides: no marks
    if (said) for (const [side, [along, end]] of Object.entries(sides)) make("span", frame, marks[along][end], { class: `mark ${side}`, "aria-hidden": "true" });
    const base = make("img", box, "", { alt: `${name} plane${said}`, draggable: "false" }), over = make("img", box, "", { alt: "", class: "over", draggable: "false" });
    const outside = make("p", box, "outside of this volume", { class: "outside" });
    const lineAcross = make("div", box, "", { class: "line across" }), lineDown = make("div", box, "", { class: "line down" });
    const label = make("label", cut, "zyx"[axis] + " ");
    const slider = make("input", label, "", { type: "range", min: 0, max: one.shape[axis] - 1, "aria-label": `${name} plane` });
    const output = make("output", label);
    const tell = () => TE.emit("hover", { pane, centre: [...at], speak: true });
    slider.addEventListener("input", () => { at[axis] = one.origin[axis] + (Number(slider.value) + 0.5) * step; draw(); tell(); });
    const placed = (event) => {
      const room = box.getBoundingClientRect(), centre = [...at];
      centre[across] = one.origin[across] + ((event.clientX - room.x) / room.width) * one.lengths[across];
      centre[down] = one.origin[down] + (1 - (event.clientY - room.y) / room.height) * one.lengths[down];
      return centre;
    };
    box.addEventListener("pointermove", (event) => {
      if (event.buttons) { at = placed(event); draw(); }
      TE.emit("hover", { pane, centre: placed(event) });
    });
    box.addEventListener("pointerleave", () => TE.emit("hover", null));
    box.addEventListener("pointerdown", (event) => { at = placed(event); draw(); });
    box.addEventListener("click", (event) => TE.emit("click", { pane, centre: placed(event) }));
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      const end = one.origin[axis] + one.lengths[axis] - step / 2;
      at[axis] = Math.min(end, Math.max(one.origin[axis] + step / 2, at[axis] + Math.sign(event.deltaY) * step));
      draw();
    }, { passive: false });
    return { frame, box, base, over, outside, lineAcross, lineDown, slider, output };
  };
  TE.on("image", (pane) => {
    if (TE.planar() || TE.run().films) return;
    if (pane === 0 && (!at || shownRun !== state.run)) {
      at = picture(0).origin.map((o, i) => o + picture(0).lengths[i] / 2);
      parts[1] = [];
      shownRun = state.run;
    }
    build(pane);
    draw();
  });
  TE.on("go", (centre) => { at = [...centre]; draw(); TE.emit("hover", { pane: 0, centre: [...at], speak: true }); });
  TE.on("panes", () => { if (!TE.planar()) [0, 1].forEach(bare); });
  TE.on("level hidden overlay opacity sure least saved panes", soon);
  window.addEventListener("resize", soon);
})();
