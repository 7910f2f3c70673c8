// Begins: asks what there is, fills the lists, and keeps what is shown in the address, so that a reload shows it again.
"use strict";
(() => {
  const { state, byId, make } = TE;

  const setPanes = async (panes) => {
    state.panes = panes;
    for (const [id, name] of [["one", "one"], ["two", "two"], ["plane-on", "plane"]]) byId(id).setAttribute("aria-pressed", panes === name);
    byId("pane-1").hidden = panes !== "two";
    byId("plane").hidden = panes !== "plane";
    if (panes === "two" && !state.documents[1]) {
      const stains = state.documents[0].pictures.length > 1, last = TE.run().images.length - 1;
      state.pictures[1] = stains ? 1 : 0;
      await TE.show(1, stains || !last ? state.images[0] : state.images[0] + (state.images[0] < last ? 1 : -1));
    }
    TE.emit("panes");
    if (panes === "plane") await TE.loadPlane().catch((error) => TE.say(error.message));
  };
  const setImage = (pane, number) => TE.show(pane, number);
  const step = (by) => {
    const count = TE.run().images.length, next = (state.images[0] + by + count) % count;
    setImage(0, next);
  };
  const picker = TE.picker(byId("image-list"), "Image", (number) => setImage(0, number), "image");
  const others = {}; // the list of the second pane
  const second = () => {
    const box = byId("pane-1").querySelector(".bar");
    if (!box) return;
    if (!box.querySelector(".picker")) {
      const place = make("span");
      box.prepend(place);
      others.picker = TE.picker(place, "Second image", (number) => setImage(1, number), "second");
    }
    others.picker.items(names());
  };
  const names = () => TE.run().images.map((one) => (one.subject && !one.name.includes(one.subject) ? `${one.name} (${one.subject})` : one.name));
  TE.chooseImage = () => picker.focus();

  const setRun = async (number, image = 0) => {
    Object.assign(state, { run: number, images: [0, 0], pictures: [0, 0], documents: [null, null], hidden: new Set(), overlay: "clusters", overlayChosen: false, least: 0 });
    const run = TE.run(), several = run.images.length > 0;
    state.level = run.tree?.shown || 0;
    byId("noun").textContent = run.noun[0].toUpperCase() + run.noun.slice(1);
    picker.items(names());
    byId("image-choice").title = `${run.images.length.toLocaleString("en")} ${run.plural}`;
    byId("image-choice").hidden = !several;
    byId("two").hidden = run.images.length < 2 && run.axes.length !== 2;
    byId("pane-0").hidden = byId("side").hidden = !several; // films, and a run that cannot be shown
    TE.say("");
    sayOfRun();
    TE.emit("run");
    await setPanes("one");
    if (several) await TE.show(0, 0);
    if (image > 0 && image < run.images.length) await TE.show(0, image); // where it cannot be shown, the first one stays
    if (several && TE.isWhole()) await setPanes("plane"); // it is the answer
    else if (state.documents[0]?.pictures.some((one) => one.version)) await setPanes("two"); // before and after
  };
  const sayOfRun = () => {
    const run = TE.run();
    TE.sayOfRun(run.error || (run.status === "done" || run.saving ? "" : "This run is not finished: what it has so far is shown."));
  };
  TE.on("saved", sayOfRun);

  TE.on("run saved", () => {
    const run = TE.run();
    byId("panes-choice").hidden = !run.images.length || (run.axes.length !== 2 && !TE.mayHaveTable() && run.images.length < 2);
    byId("plane-on").hidden = !TE.mayHaveTable();
    byId("plane-on").title = `Image and plane of all ${TE.words().nouns} (p)`;
    byId("plane").setAttribute("aria-label", `Plane of all ${TE.words().nouns}`);
    byId("scatter").setAttribute("aria-label", `${TE.words().nouns} in the plane: arrow keys go from one to the next, Enter shows it; ? lists all keys`);
  });

  // #run=0&image=2&level=5
  const remember = TE.later(200, () => {
    const values = { run: state.run, image: state.images[0], level: state.level };
    history.replaceState(null, "", `${location.pathname.startsWith("/") && !TE.answers ? "/" : location.pathname}#${new URLSearchParams(values)}`);
  });
  const begin = async () => {
    const wanted = new URLSearchParams(location.hash.slice(1)), number = (name) => Number(wanted.get(name) || 0);
    if (!TE.answers) history.replaceState(null, "", `/${location.hash}`); // the token leaves the address
    state.folder = await TE.api.get("runs");
    document.title = `${state.folder.folder} – tile-engine`;
    byId("folder").textContent = state.folder.folder;
    const runs = state.folder.runs;
    byId("run").replaceChildren(...runs.map((one, i) => make("option", null, one.name, { value: i })));
    byId("run-choice").hidden = runs.length < 2;
    await setRun(number("run") < runs.length ? number("run") : 0, number("image"));
    if (number("level")) TE.setLevel(number("level"));
    document.body.dataset.ready = "yes";
  };

  byId("run").addEventListener("change", (event) => setRun(Number(event.target.value)).catch((error) => TE.say(error.message)));
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("one").addEventListener("click", () => setPanes("one"));
  byId("two").addEventListener("click", () => setPanes("two"));
  byId("plane-on").addEventListener("click", () => setPanes(state.panes === "plane" ? "one" : "plane"));
  TE.on("image", (pane) => {
    if (pane === 1) second();
    (pane ? others.picker : picker)?.set(state.images[pane]);
  });
  TE.on("stays", (pane) => (pane ? others.picker : picker)?.set(state.images[pane]));
  TE.on("image level", remember);
  begin().catch((error) => TE.say(error.message));
})();
