// One series: its frames in order (wheel, arrow keys, slider, cine), window by dragging, and all elements of the instance.
import { actions } from "./actions.js";
import * as dicomweb from "./dicomweb.js";
import { make, note, table } from "./elements.js";
import * as picture from "./picture.js";

const { text } = dicomweb;

export async function showSeries(view, study, series, signal) {
  const [instances, described] = await Promise.all([dicomweb.instancesOf(study, series), dicomweb.seriesOf(study)]);
  if (!instances.length) return view.append(note("There is no such series.", true));
  const frames = instances.flatMap((match) =>
    Array.from({ length: Math.max(1, dicomweb.number(match, "00280008", 1)) }, (_, n) => [text(match, "00080018"), n + 1]));
  const slider = make("input", { type: "range", min: 0, max: frames.length - 1, value: frames.length >> 1, ariaLabel: "Frame" });
  const caption = make("figcaption");
  const cine = make("button", { type: "button", hidden: frames.length === 1, title: "Play or pause (space)" }, "Play");
  const stage = make("figure", {}, make("div", { className: "blank" }, "…"), make("div", { className: "ways" }, cine, slider), caption);
  const elements = make("div", { className: "elements" });
  const own = described.find((match) => text(match, "0020000E") === series);
  view.append(make("p", {}, make("a", { href: `#/studies/${study}` }, "‹ Study")),
    make("h1", {}, make("span", { className: "badge" }, text(own, "00080060") || "?"), text(own, "0008103E") || "(no description)"),
    actions(study, series, "series", `#/studies/${study}`),
    make("div", { className: "stage" }, stage, elements));
  const viewer = new Viewer({ study, series, frames, stage, caption, elements, slider, cine, signal });
  slider.addEventListener("input", () => viewer.show(Number(slider.value)));
  await viewer.show(Number(slider.value));
}

class Viewer {
  constructor(parts) {
    Object.assign(this, parts);
    this.canvas = make("canvas", { tabIndex: 0 });
    this.instances = new Map(); // the metadata of the instances seen
    this.stage.addEventListener("wheel", (event) => { event.preventDefault(); this.step(Math.sign(event.deltaY)); }, { passive: false });
    this.stage.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowRight") this.step(1);
      if (event.key === "ArrowUp" || event.key === "ArrowLeft") this.step(-1);
    });
    this.stage.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target === this.cine || this.frames.length === 1) return;
      event.preventDefault();
      this.play();
    });
    this.cine.addEventListener("click", () => this.play());
    this.canvas.addEventListener("pointermove", (event) => { if (event.buttons === 1) this.drag(event); });
  }

  step(by) {
    const to = Math.min(this.frames.length - 1, Math.max(0, this.at + by));
    if (to !== this.at) { this.slider.value = to; this.show(to); }
  }

  // Starts to show one frame after the other, round and round, as fast as the image wants it; or stops that.
  async play() {
    this.playing = !this.playing;
    this.cine.textContent = this.playing ? "Pause" : "Play";
    while (this.playing && !this.signal.aborted) {
      const next = performance.now() + pace(this.instances.get(this.frames[this.at][0]));
      this.slider.value = (this.at + 1) % this.frames.length;
      await this.show(Number(this.slider.value));
      await new Promise((resume) => setTimeout(resume, Math.max(0, next - performance.now())));
    }
  }

  async show(at) {
    this.at = at;
    const [instance, number] = this.frames[at];
    try {
      if (!this.instances.has(instance)) this.instances.set(instance, await dicomweb.metadata(this.study, this.series, instance));
      const metadata = this.instances.get(instance);
      if (at !== this.at) return; // a later frame was asked for while we waited
      if (this.listed !== instance) { this.listed = instance; this.elements.replaceChildren(elementTable(metadata)); }
      this.image = picture.imageOf(metadata);
      const loaded = await picture.load(this.image, this.study, this.series, instance, number, this.signal);
      if (at !== this.at) return;
      this.loaded = loaded;
      this.window ??= picture.windowFor(this.image, loaded);
      this.stage.firstElementChild.replaceWith(this.canvas);
      this.draw();
    } catch (error) {
      if (error.name !== "AbortError" && at === this.at) {
        const page = make("a", { href: dicomweb.rendered(this.study, this.series, instance), target: "_blank" }, "Open what it holds");
        const instead = error instanceof picture.CannotDraw ? [make("br"), page] : [];
        this.stage.firstElementChild.replaceWith(make("div", { className: "blank" }, make("p", {}, error.message, ...instead)));
      }
    }
  }

  drag(event) {
    if (!this.loaded?.pixels || this.image.samples > 1) return;
    const pace = Math.max(1, this.window.width / 300);
    this.window = { center: this.window.center + event.movementY * pace, width: Math.max(1, this.window.width + event.movementX * pace) };
    this.draw();
  }

  draw() {
    picture.draw(this.canvas, this.image, this.loaded, this.window);
    const { center, width } = this.window;
    this.caption.replaceChildren(make("span", {}, `${this.at + 1} / ${this.frames.length}`),
      make("span", {}, `${this.image.columns} × ${this.image.rows}`), make("span", {}, `W ${Math.round(width)}  C ${Math.round(center)}`));
  }
}

// Milliseconds of a frame: Frame Time, else by Recommended Display Frame Rate or Cine Rate, else ten a second.
function pace(metadata) {
  const time = dicomweb.number(metadata, "00181063", 0);
  const rate = dicomweb.number(metadata, "00082144", 0) || dicomweb.number(metadata, "00180040", 0) || 10;
  return Math.max(15, time > 0 ? time : 1000 / rate);
}

function elementTable(metadata) {
  const rows = [];
  const list = (dataset, depth) => {
    for (const tag of Object.keys(dataset).sort()) { // an object names keys that look like integers first
      const element = dataset[tag];
      const where = " ".repeat(2 * depth) + `(${tag.slice(0, 4)},${tag.slice(4)})`;
      const content = element.vr === "SQ" ? `${element.Value?.length ?? 0} items` : shownValue(dataset, tag, element);
      rows.push(make("tr", {}, make("td", {}, where), make("td", {}, element.vr), make("td", {}, content)));
      if (element.vr === "SQ") (element.Value ?? []).forEach((item) => list(item, depth + 1));
    }
  };
  list(metadata, 0);
  return table([["Tag"], ["VR"], ["Value"]], rows);
}

function shownValue(dataset, tag, element) {
  if (element.BulkDataURI) return make("a", { href: element.BulkDataURI, download: "" }, "bulk data");
  if (element.InlineBinary) return `${Math.floor(element.InlineBinary.length * 0.75)} bytes`;
  return text(dataset, tag);
}
