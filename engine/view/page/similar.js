// What lies under the pointer, and the tiles most like the one that was clicked; of whole images, those most like the shown one.
"use strict";
(() => {
  const { state, byId, make } = TE;
  let asked = null, at = null;

  TE.tileSide = () => {
    const overlay = state.documents[0]?.overlays.find((one) => one.kind === "clusters") || state.documents[0]?.overlays[0];
    return overlay ? overlay.lengths.at(-1) / overlay.shape.at(-1) : 0;
  };
  TE.position = (centre) => Object.fromEntries(TE.run().axes.map((axis, i) => [axis, centre[i].toFixed(2)]));
  const lengths = (centre) => centre.map((value) => (Math.abs(value) >= 10000 ? `${(value / 1000).toFixed(1)} mm` : `${value.toFixed(0)} µm`)).join(", ");

  const look = TE.later(35, async ({ pane, centre, speak }) => {
    asked?.abort();
    asked = new AbortController();
    try {
      const found = await TE.api.get(`${TE.path(pane)}/at`, TE.position(centre), asked.signal);
      const cluster = TE.cluster(found.fine), words = [];
      if (cluster) words.push(cluster.name === `cluster ${cluster.number}` ? cluster.name : `${cluster.number} ${cluster.name}`);
      for (const [name, value] of Object.entries(found.values)) words.push(`${name} ${value.toPrecision(3)}`);
      if (found.tile && cluster) words.push(`tile ${found.tile.index.join(", ")}`);
      byId("hover").textContent = `${words.join(" · ") || "no tissue"} · at ${lengths(centre)}`;
      if (speak) byId("spoken").textContent = byId("hover").textContent; // of keys: a pointer's would never end
      TE.emit("under", cluster?.number);
      TE.emit("pointed", { pane, centre, tile: found.tile, fine: found.fine });
    } catch (error) {
      if (error.name !== "AbortError" && !asked.signal.aborted) byId("hover").textContent = error.message;
    }
  });
  TE.on("hover", (place) => {
    if (place) return look(place);
    byId("hover").textContent = "–";
    TE.emit("under", 0);
  });

  // A picture of a tile; clicking it goes to its place.
  TE.pictureOf = ({ image, centre }) => {
    if (!centre.length) return TE.api.url(`runs/${state.run}/images/${image}/thumbnail`);
    return TE.api.url(`runs/${state.run}/images/${image}/patch`, { ...TE.position(centre), picture: patchPicture() });
  };
  TE.patch = (parent, { image, centre, fine, text, colour, name = TE.run().images[image].name }) => {
    const cluster = TE.cluster(fine);
    const said = [text, cluster?.name, name].filter(Boolean).join(" · ");
    const button = make("button", parent, "", { type: "button", title: said, "aria-label": `Go to ${said}` });
    if (colour || cluster) button.style.borderBottomColor = colour || cluster.colour;
    const src = image < 0 ? "" : TE.pictureOf({ image, centre });
    if (src) make("img", button, "", { src, alt: "", loading: "lazy" });
    if (text) make("span", button, text);
    if (!text || !centre.length) make("span", button, name);
    button.disabled = image < 0; // it was added to the index, and is no image of the run
    button.addEventListener("click", () => TE.goTo(image, centre));
    return button;
  };
  const patchPicture = () => Math.max(0, state.documents[0]?.pictures[Math.max(0, state.pictures[0])]?.number || 0);

  // Whether the image of the place could be shown.
  TE.goTo = async (image, centre) => {
    if (image !== state.images[0] && !(await TE.show(0, image))) return false;
    if (centre.length && TE.planar()) setTimeout(() => TE.maps[0].goTo(centre, TE.tileSide()), 150);
    else if (centre.length) TE.emit("go", centre);
    return true;
  };

  // `save`: whether an index that is built for it is kept; of what is only looked at, it is not.
  const search = async ({ pane, centre }, save = 1) => {
    const asked = { pane, centre }, run = state.run;
    at = asked;
    const late = () => at !== asked || run !== state.run; // another click was made since
    const note = byId("similar-note"), box = byId("similar");
    note.textContent = "Looking …";
    try {
      const found = await TE.api.get(`${TE.path(pane)}/similar`, { ...(TE.isWhole() ? {} : TE.position(centre)), k: 8, same: byId("same").checked ? 1 : 0, save });
      if (late()) return;
      if (found.none) throw new Error(found.none);
      box.replaceChildren();
      TE.patch(box, { ...found.query, text: `this ${TE.words().noun}` });
      found.hits.forEach((hit, i) => TE.patch(box, { ...hit, text: `${i + 1}: ${hit.distance.toPrecision(3)}` }));
      const left = found.left_out ? `; ${found.left_out.toLocaleString("en")} of the same subject${TE.isWhole() ? "" : " or slide"} left out` : "";
      note.textContent = [`Nearest of ${(found.cases - found.left_out).toLocaleString("en")} ${TE.words().nouns}, with distances${left}.`, ...found.notes].join(" ");
      if (!TE.isWhole() && TE.planar()) TE.maps[pane]?.setMark(found.query.centre, TE.tileSide());
      TE.emit("found", found);
    } catch (error) {
      if (late()) return;
      note.textContent = error.message;
      box.replaceChildren();
    }
  };
  TE.on("click", (place) => {
    if (TE.answers) TE.putCursor(place.pane, place.centre);
    else if (!TE.lassoing && !TE.isWhole() && TE.hasTable()) search(place);
  });
  TE.on("image", (pane) => {
    if (pane || !TE.isWhole()) return;
    if (!TE.answers && TE.run().similar) search({ pane, centre: [] }, 0);
    drawCase();
  });
  TE.on("level plane-loaded", () => drawCase());
  // What the list says of the shown image, and its group.
  const drawCase = () => {
    const row = TE.plane && TE.isWhole() ? TE.plane.point_of[state.images[0]] ?? -1 : -1;
    byId("case-part").hidden = row < 0;
    if (row < 0) return;
    byId("case-title").textContent = `This ${TE.words().noun}`;
    const names = [...new Set([TE.pointName(row), TE.run().images[state.images[0]].name])]; // of a subject, and of its volume
    byId("case").textContent = [...names, ...TE.pointFacts(row)].join(" · ");
  };
  byId("means-on").addEventListener("click", () => byId("means-dialog").showModal());
  byId("same").addEventListener("change", () => { if (at) search(at); });
  TE.on("run saved", () => { byId("similar-part").hidden = !(TE.run().similar || TE.run().saving) || !!TE.answers; });
  TE.on("run", () => {
    byId("hover-part").hidden = TE.run().films;
    byId("similar").replaceChildren();
    byId("similar-title").textContent = `Similar ${TE.words().nouns}`;
    byId("similar-note").textContent = TE.isWhole() ? "" : "Click a tile of the image.";
    byId("same-text").textContent = `from the same subject${TE.isWhole() ? "" : " or slide"}, too`;
    byId("same-row").hidden = TE.run().cases === "subject";
    byId("case-part").hidden = true;
    byId("means-part").hidden = !TE.run().means;
    if (TE.run().means) byId("means").src = byId("means-large").src = TE.api.url(`runs/${state.run}/means`);
    byId("same").checked = TE.run().images.length === 1; // there are no others
    at = null;
  });
})();
