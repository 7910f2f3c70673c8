// Names that were given are shown at once and saved meanwhile: how that goes, why it failed, and a warning before the page is closed.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const EVERY = 700, WHILE_GONE = 4000; // milliseconds between two questions
  const ORDER = ["failed", "unknown", "running", "done"]; // what is said first, of several runs
  const OPEN = ["failed", "unknown", "running"];
  const SAVE = ["Saving names", "Names saved"], UNDO = ["Taking names back", "Names are as they were before"];
  const runs = new Map(); // run -> { state, text, actions }
  const followed = new Map(); // run -> counts: only the last one that follows a run tells of it

  const path = (run) => `runs/${run}/clusters`;
  const show = () => {
    const box = byId("saving"), worst = ORDER.find((one) => [...runs.values()].some((found) => found.state === one));
    box.hidden = !worst;
    box.dataset.state = worst || "idle";
    box.replaceChildren();
    if (!worst) return;
    const [run, found] = [...runs].find(([, one]) => one.state === worst);
    make("span", box, (state.folder.runs.length > 1 ? `${state.folder.runs[run].name}: ` : "") + found.text);
    for (const [name, action] of found.actions) make("button", box, name, { type: "button" }).addEventListener("click", action);
  };
  const tell = (run, now, text = "", actions = []) => {
    if (now === "idle") runs.delete(run);
    else runs.set(run, { state: now, text, actions });
    show();
  };
  // The tree and the counts as they are now. An image that was chosen meanwhile loads its own.
  const again = async () => {
    state.folder = await TE.api.get("runs");
    state.saved = (state.saved || 0) + 1;
    await Promise.all([0, 1].filter((pane) => state.documents[pane]).map(async (pane) => {
      const wanted = TE.path(pane), before = state.documents[pane], found = await TE.api.get(wanted);
      if (wanted === TE.path(pane) && state.documents[pane] === before && found.name === before.name) state.documents[pane] = found;
    }));
    if (!state.editing) TE.emit("saved");
  };
  const refresh = () => again().catch((error) => TE.say(`The page is not up to date, load it again: ${error.message}`));
  const failed = (run, why) => tell(run, "failed", `Names not saved: ${why}`, [
    ["Try again", () => TE.save(run, state.folder.runs[run].tree.shown, []).catch((error) => failed(run, error.message))],
    ["Let go of them", () => letGo(run).catch((error) => failed(run, error.message))],
  ]);
  const letGo = async (run) => {
    const found = await TE.api.post(path(run), { discard: true });
    if (found.state === "running") follow(run, UNDO); // the run had them already, with labels and maps or without
    else tell(run, "idle");
    await refresh();
  };
  // Asks how the saving of a run goes until it is over; a question without an answer is asked again.
  const follow = async (run, [doing, done] = SAVE) => {
    const own = (followed.get(run) || 0) + 1;
    followed.set(run, own);
    tell(run, "running", `${doing} …`);
    for (;;) {
      const found = await TE.api.get(path(run)).catch((error) => ({ state: "unknown", text: error.message }));
      if (own !== followed.get(run)) return;
      if (found.state === "failed") {
        failed(run, found.text);
        return refresh();
      }
      if (found.state === "unknown") tell(run, "unknown", `Whether the names are saved is not known: ${found.text}`);
      else if (found.state === "running") tell(run, "running", `${doing}: ${found.text} …`);
      else {
        tell(run, found.state, done); // idle where another page let go of them
        return refresh();
      }
      await new Promise((next) => setTimeout(next, found.state === "unknown" ? WHILE_GONE : EVERY));
    }
  };

  // Rejects where the names are refused; else calls `posted`, shows them, and goes on while they are saved.
  TE.save = async (run, level, rows, posted = () => {}) => {
    await TE.api.post(path(run), { level, rows });
    posted();
    follow(run);
    await refresh();
  };
  // Of a page that was loaded anew while names are saved, or could not be.
  TE.on("run", async () => {
    const run = state.run;
    for (const [other, found] of runs) if (found.state === "done") runs.delete(other);
    show();
    if (runs.has(run) || TE.answers || state.folder.read_only || !TE.tree()) return;
    const found = await TE.api.get(path(run)).catch(() => ({ state: "idle" }));
    if (runs.has(run)) return; // it was saved since
    if (found.state === "running") follow(run);
    if (found.state === "failed") failed(run, found.text);
  });
  window.addEventListener("beforeunload", (event) => {
    if ((state.editing && state.edited) || [...runs.values()].some((found) => OPEN.includes(found.state))) event.preventDefault();
  });
})();
