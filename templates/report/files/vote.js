// Asks for two pictures, sends which was taken, and shows the next two. Every pick is kept before the next is shown.
const at = (id) => document.getElementById(id);
let question = null, busy = false, ended = false, last = Promise.resolve();

function end(title, text) {
  ended = true;
  for (const id of ["pair", "buttons", "prompt", "progress", "count"]) at(id).hidden = true;
  at("told").textContent = title;
  at("more").textContent = text;
  at("end").hidden = false;
}

const ask = (body) => (last = last.then(() => send(body)));

async function send(body) {
  if (ended) return;
  busy = true;
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("", { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    const told = await answer.json();
    if (told.finished) return end("Thank you", `${told.done} picks are kept. The terminal tells what follows from them; this tab can be closed.`);
    await show(told.question);
  } catch (error) {
    at("count").textContent = `Not kept: ${error.message || "Loracle has ended, see the terminal"}`;
  } finally {
    busy = false;
  }
}

async function show(next) {
  if (!next) return end("Nothing to choose between", "The grid has no two pictures of the same prompt and seed.");
  const load = (id, name) => { const picture = at(id); picture.src = name; return picture.decode().catch(() => {}); };
  await Promise.all([load("left-picture", next.left), load("right-picture", next.right)]);
  question = next;
  at("prompt").textContent = next.prompt;
  at("progress").max = Math.max(next.wanted, 1);
  at("progress").value = Math.min(next.done, next.wanted);
  at("count").textContent = next.done < next.wanted ? `${next.done} of ${next.wanted} picks` : `${next.done} picks: enough. More make it surer.`;
}

const pick = (picked) => question && !busy && ask({ do: "pick", id: question.id, picked });
const keys = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "equal" };
for (const picked of ["left", "right", "equal"]) at(picked).addEventListener("click", () => pick(picked));
at("undo").addEventListener("click", () => ask({ do: "undo" }));
at("finish").addEventListener("click", () => ask({ do: "finish" }));
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key in keys) { event.preventDefault(); pick(keys[event.key]); }
  if (event.key === "Backspace") { event.preventDefault(); ask({ do: "undo" }); }
});
ask({ do: "next" });
