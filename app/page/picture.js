// Pictures from elsewhere: a file, a photograph, a drop, the clipboard.

const TAKEN = ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif"];
const LARGEST_BYTES = 4 << 20; // larger ones, and other formats, are made smaller here
const LARGEST_SIDE = 1600;

/** Return {bitmap, blob}: what to show, and what to send. Throws where the browser can read no picture. */
export async function openPicture(file) {
  const bitmap = await createImageBitmap(file);
  const isTaken = TAKEN.includes(file.type) && file.size <= LARGEST_BYTES;
  return { bitmap, blob: isTaken ? file : await smaller(bitmap) };
}

/** Call `onFile(file)` for each picture dropped on the target or pasted into the page; return what ends it. */
export function watchPictures(target, onFile) {
  const ending = new AbortController();
  const first = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/"));
  const drop = (event) => {
    event.preventDefault();
    target.classList.toggle("target", event.type === "dragover");
    if (event.type === "drop" && first(event.dataTransfer)) onFile(first(event.dataTransfer));
  };
  for (const name of ["dragover", "dragleave", "drop"]) target.addEventListener(name, drop, { signal: ending.signal });
  const paste = (event) => first(event.clipboardData) && onFile(first(event.clipboardData));
  document.addEventListener("paste", paste, { signal: ending.signal });
  return () => ending.abort();
}

function smaller(bitmap) {
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
