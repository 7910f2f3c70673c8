// A volume as three planes through one position: each with what lies over it, a slider, and lines where the others cut it.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const NAMES = ["axial", "coronal", "sagittal"];
  let at = null, parts = [], shownImage = "";

  const picture = () => state.documents[0].pictures[state.pictures[0]];
  const others = (axis) => [0, 1, 2].filter((one) => one !== axis); // rows, columns
  const draw = () => {
    if (!state.documents[0] || TE.planar() || TE.run().films) return;
    const one = picture(), overlay = TE.overlayOf(0);
    parts.forEach((part, axis) => {
      const [down, across] = others(axis);
      fit(part, one.lengths[across], one.lengths[down]);
      const spot = at[axis].toFixed(1);
      if (one.number >= 0) set(part.base, TE.api.url(`${TE.path(0)}/pictures/${one.number}/slice`, { axis, at: spot }));
      part.over.hidden = !overlay;
      if (overlay) {
        const values = { axis, at: spot, ...TE.chosenColours() };
        set(part.over, TE.api.url(`${TE.path(0)}/overlays/${overlay.number}/slice`, values));
        part.over.style.opacity = state.opacity;
        // Rows are flipped: the upper edge of the picture is the last row.
        const end = (o, i) => o.origin[i] + o.lengths[i];
        part.over.style.left = `${(100 * (overlay.origin[across] - one.origin[across])) / one.lengths[across]}%`;
        part.over.style.width = `${(100 * overlay.lengths[across]) / one.lengths[across]}%`;
        part.over.style.top = `${(100 * (end(one, down) - end(overlay, down))) / one.lengths[down]}%`;
        part.over.style.height = `${(100 * overlay.lengths[down]) / one.lengths[down]}%`;
      }
      const share = (i) => (at[i] - one.origin[i]) / one.lengths[i];
      part.lineAcross.style.top = `${100 * (1 - share(down))}%`;
      part.lineDown.style.left = `${100 * share(across)}%`;
      const step = one.lengths[axis] / one.shape[axis];
      part.slider.value = Math.floor((at[axis] - one.origin[axis]) / step);
      part.output.textContent = `${(at[axis] / 1000).toFixed(1)} mm`;
    });
  };
  const set = (image, url) => { if (image.dataset.url !== url) { image.dataset.url = url; image.src = url; } };
  const fit = (part, width, height) => {
    const room = part.frame.getBoundingClientRect(), scale = Math.min(room.width / width, room.height / height);
    Object.assign(part.box.style, { width: `${width * scale}px`, height: `${height * scale}px`, left: `${(room.width - width * scale) / 2}px`, top: `${(room.height - height * scale) / 2}px` });
  };
  const soon = TE.later(15, draw);
  TE.cutsAt = () => [...at];

  const build = () => {
    const pane = byId("pane-0");
    pane.replaceChildren();
    const found = state.documents[0], one = picture();
    if (found.pictures.length > 1) {
      const choice = make("select", make("div", pane, "", { class: "bar" }), "", { "aria-label": "Picture" });
      found.pictures.forEach((p, i) => make("option", choice, p.name, { value: i }));
      choice.value = state.pictures[0];
      choice.addEventListener("change", () => { state.pictures[0] = Number(choice.value); draw(); });
    }
    const cuts = make("div", pane, "", { class: "cuts" });
    parts = NAMES.map((name, axis) => {
      const cut = make("div", cuts, "", { class: "cut" });
      make("span", cut, name, { class: "name" });
      const frame = make("div", cut, "", { class: "frame" }), box = make("div", frame, "", { class: "box" });
      const base = make("img", box, "", { alt: `${name} plane`, draggable: "false" }), over = make("img", box, "", { alt: "", class: "over", draggable: "false" });
      const lineAcross = make("div", box, "", { class: "line across" }), lineDown = make("div", box, "", { class: "line down" });
      const label = make("label", cut, name === "axial" ? "z " : name === "coronal" ? "y " : "x ");
      const slider = make("input", label, "", { type: "range", min: 0, max: one.shape[axis] - 1, "aria-label": `${name} plane` });
      const output = make("output", label), step = one.lengths[axis] / one.shape[axis];
      slider.addEventListener("input", () => { at[axis] = one.origin[axis] + (Number(slider.value) + 0.5) * step; draw(); });
      const placed = (event) => {
        const room = box.getBoundingClientRect(), [down, across] = others(axis), centre = [...at];
        centre[across] = one.origin[across] + ((event.clientX - room.x) / room.width) * one.lengths[across];
        centre[down] = one.origin[down] + (1 - (event.clientY - room.y) / room.height) * one.lengths[down];
        return centre;
      };
      box.addEventListener("pointermove", (event) => {
        if (event.buttons) { at = placed(event); draw(); }
        TE.emit("hover", { pane: 0, centre: placed(event) });
      });
      box.addEventListener("pointerleave", () => TE.emit("hover", null));
      box.addEventListener("pointerdown", (event) => { at = placed(event); draw(); });
      box.addEventListener("click", (event) => TE.emit("click", { pane: 0, centre: placed(event) }));
      frame.addEventListener("wheel", (event) => {
        event.preventDefault();
        const end = one.origin[axis] + one.lengths[axis] - step / 2;
        at[axis] = Math.min(end, Math.max(one.origin[axis] + step / 2, at[axis] + Math.sign(event.deltaY) * step));
        draw();
      }, { passive: false });
      return { frame, box, base, over, lineAcross, lineDown, slider, output };
    });
    const facts = make("div", cuts, "", { class: "cut facts" });
    make("p", facts, found.name);
    make("p", facts, `${one.shape.join(" × ")} voxels of ${one.lengths.map((l, i) => Number((l / one.shape[i] / 1000).toPrecision(3))).join(" × ")} mm (z, y, x)`, { class: "quiet" });
    make("p", facts, "Axial and coronal: the patient's right is on the right. Sagittal: anterior is on the right. So the file says. Click or drag to move the three planes; the wheel goes through slices.", { class: "quiet" });
  };
  TE.on("image", (pane) => {
    if (TE.planar() || TE.run().films || pane) return;
    build();
    const one = picture();
    if (!at || shownImage !== `${state.run}`) at = one.origin.map((o, i) => o + one.lengths[i] / 2);
    shownImage = `${state.run}`;
    draw();
  });
  TE.on("go", (centre) => { at = [...centre]; draw(); });
  TE.on("level hidden overlay opacity sure saved panes", soon);
  window.addEventListener("resize", soon);
})();
