// Stores files that are chosen or dropped (folders too), a few at a time, and says what became of each.
import * as dicomweb from "./dicomweb.js";
import { make } from "./elements.js";

const AT_ONCE = 4;
const panel = document.getElementById("transfer");

export function watchUploads(afterwards) {
  const input = document.getElementById("files"), drop = document.getElementById("drop");
  const send = async (files) => { if (files.length) { await transfer(files); afterwards(); } };
  document.getElementById("upload").addEventListener("click", () => input.click());
  input.addEventListener("change", async () => { await send([...input.files]); input.value = ""; });
  window.addEventListener("dragover", (event) => { event.preventDefault(); drop.hidden = false; });
  window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.hidden = true; });
  window.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.hidden = true;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    send((await Promise.all(entries.map(filesBelow))).flat());
  });
}

async function filesBelow(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (;;) { // a reader answers a part of the folder at a time, and nothing at its end
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesBelow))).flat());
  }
}

async function transfer(files) {
  const bar = make("progress", { max: files.length, value: 0 });
  const summary = make("div", {}, `Storing ${files.length} file${files.length === 1 ? "" : "s"}…`);
  const troubles = make("ul");
  const close = make("button", { type: "button", onclick: () => { panel.hidden = true; } }, "Close");
  panel.replaceChildren(summary, bar, troubles);
  panel.hidden = false;
  let stored = 0, failed = 0;
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      try {
        const outcome = await dicomweb.store(file);
        stored += outcome.stored;
        failed += outcome.failed;
        if (outcome.failed) troubles.append(make("li", {}, `${file.name}: ${outcome.failed} refused`));
      } catch (error) {
        failed += 1;
        troubles.append(make("li", {}, `${file.name}: ${error.message}`));
      }
      bar.value += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  bar.remove();
  summary.textContent = `${stored} stored` + (failed ? `, ${failed} refused` : "");
  panel.append(close);
}
