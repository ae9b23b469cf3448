// Pictures from a file, the camera, drag and drop, or the clipboard.

const ACCEPTED = ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif"];
const LARGEST_BYTES = 4 << 20; // larger files and other formats are scaled and converted here
const LARGEST_SIDE = 1600;

/** Return {bitmap, blob, scale}: the picture to show, the file to send, and its size divided by the bitmap's.
 *
 * Throws if the browser cannot decode the file. */
export async function openPicture(file) {
  const bitmap = await createImageBitmap(file);
  const isAccepted = ACCEPTED.includes(file.type) && file.size <= LARGEST_BYTES;
  if (isAccepted) return { bitmap, blob: file, scale: 1 };
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  return { bitmap, blob: await scaledPng(bitmap, scale), scale };
}

/** Call `onFiles(files)` with the pictures dropped on the target or pasted into the page; return a function that stops this. */
export function watchPictures(target, onFiles) {
  const stop = new AbortController();
  const take = (transfer) => {
    const files = [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (files.length) onFiles(files);
  };
  const drop = (event) => {
    event.preventDefault();
    target.classList.toggle("target", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer);
  };
  for (const name of ["dragover", "dragleave", "drop"]) target.addEventListener(name, drop, { signal: stop.signal });
  document.addEventListener("paste", (event) => take(event.clipboardData), { signal: stop.signal });
  return () => stop.abort();
}

function scaledPng(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
