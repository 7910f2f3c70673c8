// Naming, merging and ignoring clusters: an edited table of clusters goes to the server, which shows it and saves it (saving.js).
"use strict";
(() => {
  const { state, byId, make } = TE;
  const IGNORED = "ignored", GREY = "#9a9a9a";
  let sending = false;

  const begin = () => {
    const level = TE.level(), body = byId("legend").tBodies[0];
    state.editing = true;
    state.edited = false;
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
      const name = row.querySelector("[data-of=name]"), colour = row.querySelector("[data-of=colour]");
      const target = level.numbers.indexOf(level.into[number] || number);
      into.value = level.names[target] === IGNORED ? IGNORED : level.into[number] || "";
      into.dataset.was = into.value;
      into.addEventListener("change", () => {
        if (into.value === IGNORED) [name.value, colour.value] = [IGNORED, GREY];
        else if (name.value === IGNORED) name.value = "";
      });
      name.placeholder = `cluster ${number}`;
      name.addEventListener("input", () => {
        if (name.value === IGNORED) into.value = IGNORED;
        else if (into.value === IGNORED) into.value = "";
      });
    });
    drawEdit();
    body.querySelector("input[type=text]")?.focus();
  };
  const drawEdit = () => {
    byId("edit-row").hidden = !state.editing;
    byId("edit").setAttribute("aria-pressed", state.editing);
    byId("level").disabled = byId("level-reset").disabled = byId("run").disabled = state.editing; // names are of one level of one run
    byId("save").disabled = byId("cancel").disabled = sending;
    byId("edit").disabled = sending || state.folder.read_only;
  };
  const end = () => {
    state.editing = false;
    drawEdit();
    TE.drawLegend();
  };

  // The clusters of this level as they were edited; the server adds those of finer levels, and leaves a merge that nobody chose.
  const rows = () => [...byId("legend").tBodies[0].rows].map((row) => {
    const field = (of) => row.querySelector(`[data-of=${of}]`), into = field("into");
    const edited = { cluster: row.dataset.number, name: field("name").value.trim(), colour: field("colour").value };
    return into.value === into.dataset.was ? edited : { ...edited, into: into.value };
  });
  const save = async () => {
    sending = true;
    drawEdit();
    TE.say("");
    const run = state.run, edited = rows();
    try {
      state.editing = false; // what is drawn anew is no table of edits any more
      await TE.save(run, state.level, edited);
      end();
    } catch (error) {
      state.editing = true;
      TE.say(`The names were not saved: ${error.message}`);
    }
    sending = false;
    drawEdit();
  };

  byId("edit").addEventListener("click", () => (state.editing ? end() : begin()));
  byId("legend").addEventListener("input", () => { state.edited = state.editing; });
  byId("cancel").addEventListener("click", end);
  byId("save").addEventListener("click", save);
  TE.on("run", () => {
    if (state.editing) end();
    drawEdit();
    byId("edit").hidden = !!TE.answers;
    byId("edit").title = state.folder.read_only ? "The viewer was started with --read-only" : "Name, merge and ignore clusters (e)";
  });
})();
