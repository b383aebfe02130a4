// Draws one frame on a canvas: native grey and colour pixels, and JPEG that the browser decodes itself.
import * as dicomweb from "./dicomweb.js";

export class CannotDraw extends Error {}

// What is needed of an instance's metadata to draw its frames (PS3.3 C.7.6.3, C.11.1, C.11.2).
export function imageOf(metadata) {
  const of = (tag, otherwise) => dicomweb.number(metadata, tag, otherwise);
  const shared = dicomweb.values(metadata, "52009229")[0];
  const macro = (sequence) => dicomweb.values(shared, sequence)[0] ?? metadata;
  const transform = macro("00289145"), voi = macro("00289132");
  return {
    rows: of("00280010", 0), columns: of("00280011", 0), samples: of("00280002", 1), frames: of("00280008", 1),
    allocated: of("00280100", 8), stored: of("00280101", 8), signed: of("00280103", 0) === 1, planar: of("00280006", 0) === 1,
    photometric: dicomweb.text(metadata, "00280004") || "MONOCHROME2",
    slope: dicomweb.number(transform, "00281053", 1), intercept: dicomweb.number(transform, "00281052", 0),
    center: dicomweb.number(voi, "00281050", NaN), width: dicomweb.number(voi, "00281051", NaN),
  };
}

export async function load(image, study, series, instance, number, signal) {
  if (!image.rows || !image.columns) throw new CannotDraw("no image in this instance");
  try {
    return await stored(image, study, series, instance, number, signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { bitmap: await createImageBitmap(await dicomweb.picture(study, series, instance, number, signal)) };
  }
}

async function stored(image, study, series, instance, number, signal) {
  if (image.photometric === "PALETTE COLOR") throw new CannotDraw("the server knows the palette");
  const { type, bytes } = await dicomweb.frame(study, series, instance, number, signal);
  if (type === "image/jpeg") {
    if (image.allocated > 8) throw new CannotDraw("12-bit JPEG: open it in a viewer");
    return { bitmap: await createImageBitmap(new Blob([bytes], { type })) };
  }
  return { pixels: samples(image, bytes) };
}

function samples(image, bytes) {
  if (image.allocated === 1) {
    const packed = new Uint8Array(bytes);
    return Uint8Array.from({ length: image.rows * image.columns }, (_, i) => (packed[i >> 3] >> (i & 7)) & 1);
  }
  const types = { 8: [Uint8Array, Int8Array], 16: [Uint16Array, Int16Array], 32: [Uint32Array, Int32Array] };
  const type = types[image.allocated]?.[image.signed ? 1 : 0];
  if (!type) throw new CannotDraw(`${image.allocated} bits for each sample: open it in a viewer`);
  const size = type.BYTES_PER_ELEMENT;
  return new type(bytes, 0, Math.floor(bytes.byteLength / size));
}

// The window of the image, or the full range of this frame's values where it names none.
export function windowFor(image, loaded) {
  if (image.width > 0) return { center: image.center, width: image.width };
  if (!loaded.pixels) return { center: 128, width: 256 };
  let low = Infinity, high = -Infinity;
  for (const value of loaded.pixels) { if (value < low) low = value; if (value > high) high = value; }
  const [from, to] = [low * image.slope + image.intercept, high * image.slope + image.intercept];
  return { center: (from + to) / 2, width: Math.max(1, Math.abs(to - from)) };
}

export function draw(canvas, image, loaded, { center, width }) {
  canvas.width = image.columns;
  canvas.height = image.rows;
  const context = canvas.getContext("2d");
  if (loaded.bitmap) return context.drawImage(loaded.bitmap, 0, 0);
  const target = context.createImageData(image.columns, image.rows);
  if (image.samples === 1) grey(image, loaded.pixels, center, width, target.data);
  else colour(image, loaded.pixels, target.data);
  context.putImageData(target, 0, 0);
}

function grey(image, pixels, center, width, target) {
  if (!image.photometric.startsWith("MONOCHROME")) throw new CannotDraw(`${image.photometric}: open it in a viewer`);
  const inverted = image.photometric === "MONOCHROME1";
  const span = Math.max(1, width - 1), low = center - 0.5 - span / 2; // PS3.3 C.11.2.1.2, linear
  const gain = 255 / span;
  for (let i = 0, at = 0; i < image.rows * image.columns; i++, at += 4) {
    let level = (pixels[i] * image.slope + image.intercept - low) * gain;
    if (inverted) level = 255 - level;
    target[at] = target[at + 1] = target[at + 2] = level;
    target[at + 3] = 255;
  }
}

function colour(image, pixels, target) {
  if (image.allocated !== 8 || !["RGB", "YBR_FULL"].includes(image.photometric)) {
    throw new CannotDraw(`${image.photometric}: open it in a viewer`);
  }
  const plane = image.rows * image.columns, [step, next] = image.planar ? [1, plane] : [3, 1];
  for (let i = 0, at = 0; i < plane; i++, at += 4) {
    const [a, b, c] = [pixels[i * step], pixels[i * step + next], pixels[i * step + 2 * next]];
    if (image.photometric === "RGB") { target[at] = a; target[at + 1] = b; target[at + 2] = c; }
    else { // PS3.3 C.7.6.3.1.2
      target[at] = a + 1.402 * (c - 128);
      target[at + 1] = a - 0.344136 * (b - 128) - 0.714136 * (c - 128);
      target[at + 2] = a + 1.772 * (b - 128);
    }
    target[at + 3] = 255;
  }
}
