// Naming, merging and ignoring clusters: an edited table of clusters goes to the server, which does what relabel does.
"use strict";
(() => {
  const { state, byId, make } = TE;
  const IGNORED = "ignored", GREY = "#9a9a9a";

  const begin = () => {
    const level = TE.level(), body = byId("legend").tBodies[0];
    state.editing = true;
    body.replaceChildren();
    level.numbers.forEach((number, i) => {
      const row = make("tr", body, "", { "data-number": number }), cell = make("td", row, "", { colspan: 3 });
      const line = make("div", cell, "", { class: "row" });
      make("input", line, "", { type: "color", "aria-label": `Colour of cluster ${number}`, "data-of": "colour" }).value = level.colours[i];
      make("input", line, "", { type: "text", maxlength: 80, "aria-label": `Name of cluster ${number}`, "data-of": "name" }).value = level.names[i];
      const into = make("select", line, "", { "aria-label": `Cluster ${number} is`, "data-of": "into" });
      make("option", into, "its own", { value: "" });
      make("option", into, "ignored", { value: IGNORED });
      level.numbers.forEach((other, j) => { if (other !== number) make("option", into, `into ${other} ${level.names[j]}`, { value: other }); });
      into.value = level.into[number] || "";
      into.addEventListener("change", () => {
        if (into.value !== IGNORED) return;
        row.querySelector("[data-of=name]").value = IGNORED;
        row.querySelector("[data-of=colour]").value = GREY;
      });
    });
    drawEdit();
    body.querySelector("input[type=text]")?.focus();
  };
  const drawEdit = () => {
    byId("edit-row").hidden = !state.editing;
    byId("edit").setAttribute("aria-pressed", state.editing);
    byId("level").disabled = byId("level-reset").disabled = state.editing;
  };
  const end = () => {
    state.editing = false;
    drawEdit();
    TE.drawLegend();
  };

  // All clusters of the tree, so that names at finer levels stay; those of this level as they were edited. Several that are
  // ignored are one: the first of them.
  const rows = () => {
    const tree = TE.tree(), finest = tree.levels[Math.max(...Object.keys(tree.levels).map(Number))];
    const edited = new Map([...byId("legend").tBodies[0].rows].map((row) => [Number(row.dataset.number), row]));
    const value = (number, of) => edited.get(number).querySelector(`[data-of=${of}]`).value;
    const ignored = [...edited.keys()].filter((number) => value(number, "into") === IGNORED);
    return finest.numbers.map((number, i) => {
      if (!edited.has(number)) return { cluster: String(number), name: finest.names[i], colour: finest.colours[i], into: String(finest.into[number] || "") };
      const into = value(number, "into");
      const other = into === IGNORED ? (number === ignored[0] ? "" : ignored[0]) : into;
      return { cluster: String(number), name: value(number, "name").trim(), colour: value(number, "colour"), into: String(other) };
    });
  };
  const path = () => `runs/${state.run}/clusters`;
  const wait = async () => {
    for (;;) {
      const { state: now, text } = await TE.api.get(path());
      byId("save-state").textContent = now === "running" ? `saving: ${text}` : text;
      if (now === "failed") throw new Error(text);
      if (now !== "running") return;
      await new Promise((done) => setTimeout(done, 700));
    }
  };
  const save = async () => {
    byId("save").disabled = true;
    TE.say("");
    try {
      await TE.api.post(path(), { level: state.level, rows: rows() });
      await wait();
      state.folder = await TE.api.get("runs");
      state.saved = (state.saved || 0) + 1;
      await Promise.all([0, 1].filter((pane) => state.documents[pane]).map(async (pane) => { state.documents[pane] = await TE.api.get(TE.path(pane)); }));
      end();
      TE.emit("saved");
    } catch (error) {
      TE.say(`The names were not saved: ${error.message}`);
      byId("save-state").textContent = "";
    }
    byId("save").disabled = false;
  };

  byId("edit").addEventListener("click", () => (state.editing ? end() : begin()));
  byId("cancel").addEventListener("click", end);
  byId("save").addEventListener("click", save);
  TE.on("run", () => {
    byId("edit").hidden = !!TE.answers;
    byId("edit").disabled = state.folder.read_only;
    byId("edit").title = state.folder.read_only ? "The viewer was started with --read-only" : "Name, merge and ignore clusters (e)";
  });
})();
