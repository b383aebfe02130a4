// One study: who, what, when; its series as pictures.
import { actions } from "./actions.js";
import * as dicomweb from "./dicomweb.js";
import { make, note } from "./elements.js";

const { text, date } = dicomweb;

export async function showStudy(view, uid) {
  const [study, series] = await Promise.all([dicomweb.study(uid), dicomweb.seriesOf(uid)]);
  if (!study) return view.append(note("There is no such study.", true));
  document.title = `${text(study, "00100010")} – dicomweb-server`;
  const facts = [text(study, "00100020"), date(study, "00100030"), text(study, "00100040")].filter(Boolean).join(" · ");
  const what = [date(study, "00080020"), text(study, "00081030"), text(study, "00080050")].filter(Boolean).join(" · ");
  view.append(
    make("p", {}, make("a", { href: "#/" }, "‹ Studies")),
    make("h1", {}, text(study, "00100010") || "(no name)"),
    make("p", { className: "quiet" }, facts, make("br"), what),
    actions(uid, null, "study", "#/"),
    make("div", { className: "cards" }, ...series.map((match) => card(uid, match))));
}

function card(study, match) {
  const uid = text(match, "0020000E");
  const count = dicomweb.number(match, "00201209", 0);
  const facts = [`Series ${text(match, "00200011") || "–"}`, `${count} instance${count === 1 ? "" : "s"}`, text(match, "00180015")];
  const head = make("strong", {}, make("span", { className: "badge" }, text(match, "00080060") || "?"), text(match, "0008103E") || "(no description)");
  return make("a", { className: "card", href: `#/studies/${study}/series/${uid}` },
    thumbnail(study, uid),
    make("div", { className: "text" }, head, make("div", { className: "quiet" }, facts.filter(Boolean).join(" · "))));
}

function thumbnail(study, series) {
  const image = make("img", { alt: "", loading: "lazy", src: dicomweb.thumbnail(study, series) });
  image.addEventListener("error", () => image.replaceWith(make("div", { className: "blank" }, "no picture")));
  return image;
}
