// Pictures from a file, the camera, drag and drop, or the clipboard.

const ACCEPTED = ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif"];
const LARGEST_BYTES = 4 << 20; // larger files and other formats are scaled and converted here
const LARGEST_SIDE = 1600;

/** Return {bitmap, blob}: the picture to show and the bytes to send. Throws if the browser cannot decode the file. */
export async function openPicture(file) {
  const bitmap = await createImageBitmap(file);
  const isAccepted = ACCEPTED.includes(file.type) && file.size <= LARGEST_BYTES;
  return { bitmap, blob: isAccepted ? file : await scaledPng(bitmap) };
}

/** Call `onFile(file)` for each picture dropped on the target or pasted into the page; return a function that stops this. */
export function watchPictures(target, onFile) {
  const stop = new AbortController();
  const first = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/"));
  const drop = (event) => {
    event.preventDefault();
    target.classList.toggle("target", event.type === "dragover");
    if (event.type === "drop" && first(event.dataTransfer)) onFile(first(event.dataTransfer));
  };
  for (const name of ["dragover", "dragleave", "drop"]) target.addEventListener(name, drop, { signal: stop.signal });
  const paste = (event) => first(event.clipboardData) && onFile(first(event.clipboardData));
  document.addEventListener("paste", paste, { signal: stop.signal });
  return () => stop.abort();
}

function scaledPng(bitmap) {
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
