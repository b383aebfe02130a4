// The DIMSE associations that are open: who is connected, what has passed, and a way to end one.
import { make, note, table } from "./elements.js";
import * as rest from "./rest.js";

const PAUSE = 2000; // milliseconds between two looks
const HEADS = [
  ["Role"], ["Calling"], ["Called"], ["Address"], ["Open for", "number"], ["Received", "number"], ["Sent", "number"], ["Operations"], [""],
];
const UNITS = ["B", "kB", "MB", "GB", "TB"];

function size(bytes) {
  const unit = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${(bytes / 1000 ** unit).toFixed(unit ? 1 : 0)} ${UNITS[unit]}`;
}

function row(one) {
  const cell = (content, kind = "") => make("td", { className: kind }, content);
  const operations = Object.entries(one.Operations).map(([name, count]) => `${name}: ${count}`).join(", ");
  const end = async ({ currentTarget }) => {
    currentTarget.disabled = true;
    await rest.abortAssociation(one.ID).catch(() => {}); // it may have ended by itself
  };
  return make("tr", {},
    cell(one.Role), cell(one.CallingAet), cell(one.CalledAet), cell(one.RemoteAddress), cell(`${Math.round(one.Seconds)} s`, "number"),
    cell(size(one.BytesReceived), "number"), cell(size(one.BytesSent), "number"), cell(operations),
    make("td", {}, make("button", { type: "button", onclick: end }, "Abort")));
}

export async function showAssociations(view, signal) {
  document.title = "Associations – dicomweb-server";
  const place = make("div");
  view.append(make("p", {}, make("a", { href: "#/" }, "‹ Studies")), make("h1", {}, "Associations"), place);
  while (!signal.aborted) {
    const open = await rest.associations();
    place.replaceChildren(open.length ? table(HEADS, open.map(row)) : note("No association is open."));
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
