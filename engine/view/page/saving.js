// Names that were given are shown at once and saved meanwhile: how that goes, why it failed, and a warning before the page is closed.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const EVERY = 700;
  let followed = 0; // counts: only the last one that follows a saving tells of it

  const path = (run) => `runs/${run}/clusters`;
  const tell = (now, text = "", actions = []) => {
    const box = byId("saving");
    box.hidden = now === "idle";
    box.dataset.state = now;
    box.replaceChildren(make("span", null, text));
    for (const [name, action] of actions) make("button", box, name, { type: "button" }).addEventListener("click", action);
  };
  // The tree and the counts as they are now.
  const again = async () => {
    state.folder = await TE.api.get("runs");
    state.saved = (state.saved || 0) + 1;
    await Promise.all([0, 1].filter((pane) => state.documents[pane]).map(async (pane) => { state.documents[pane] = await TE.api.get(TE.path(pane)); }));
    if (!state.editing) TE.emit("saved");
  };
  const failed = (run, why) => tell("failed", `Names not saved: ${why}`, [
    ["Try again", () => TE.save(run, state.folder.runs[run].tree.shown, []).catch((error) => failed(run, error.message))],
    ["Let go of them", async () => { await TE.api.post(path(run), { discard: true }); tell("idle"); await again(); }],
  ]);
  const follow = async (run) => {
    const own = followed += 1;
    for (;;) {
      const found = await TE.api.get(path(run));
      if (own !== followed) return;
      if (found.state === "failed") return failed(run, found.text);
      if (found.state !== "running") {
        tell("done", "Names saved");
        return again();
      }
      tell("running", `Saving names: ${found.text} …`);
      await new Promise((done) => setTimeout(done, EVERY));
    }
  };
  const lost = (run) => (error) => failed(run, error.message);

  // Resolves when the names are shown; they are saved after that. Rejects where they are refused.
  TE.save = async (run, level, rows) => {
    followed += 1;
    try {
      await TE.api.post(path(run), { level, rows });
    } catch (error) {
      if (byId("saving").dataset.state === "running") follow(run).catch(lost(run));
      throw error;
    }
    tell("running", "Saving names …");
    follow(run).catch(lost(run));
    await again();
  };
  // Of a page that was loaded anew while names are saved, or could not be.
  TE.on("run", async () => {
    const run = state.run;
    if (["running", "failed"].includes(byId("saving").dataset.state)) return; // of the run before: it is told on
    tell("idle");
    if (TE.answers || state.folder.read_only || !TE.tree()) return;
    const found = await TE.api.get(path(run)).catch(() => ({ state: "idle" }));
    if (run !== state.run) return;
    if (found.state === "running") follow(run).catch(lost(run));
    if (found.state === "failed") failed(run, found.text);
  });
  window.addEventListener("beforeunload", (event) => {
    if ((state.editing && state.edited) || ["running", "failed"].includes(byId("saving").dataset.state)) event.preventDefault();
  });
})();
