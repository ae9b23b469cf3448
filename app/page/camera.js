// The camera: a dialog with a live viewfinder.

import { h } from "./dom.js";
import { t } from "./language.js";
import { refusal } from "./notice.js";

/** Return whether there may be a camera: browsers show it to pages on HTTPS and on this machine only. */
export function mayHaveCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Show what the camera sees; return what it sees when the reader takes the picture, a Blob; null if they do not. */
export async function takePicture() {
  const video = h("video", { autoplay: true, playsinline: true, class: "finder", "aria-label": t("camera.finder") });
  video.muted = true;
  const take = h("button", { type: "button", class: "primary", disabled: true }, t("camera.take"));
  const cancel = h("button", { type: "button" }, t("cancel"));
  const notice = h("div", {});
  const content = h("div", { class: "stack tight" }, h("h2", { id: "camera-title" }, t("camera")), h("div", { class: "viewfinder" }, video), notice, h("div", { class: "row end" }, take, cancel));
  const dialog = h("dialog", { "aria-labelledby": "camera-title" }, content);
  document.body.append(dialog);
  dialog.showModal();
  let stream = null;
  const isClosed = new Promise((resolve) => dialog.addEventListener("close", () => resolve(null)));
  const picture = new Promise((resolve) => take.addEventListener("click", () => shoot(video).then(resolve)));
  cancel.addEventListener("click", () => dialog.close());
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    await video.play();
    take.disabled = false;
  } catch (error) {
    notice.replaceChildren(refusal({ title: t("camera.none"), detail: t("camera.none.detail", { reason: error.name }) }));
  }
  const taken = dialog.open ? await Promise.race([picture, isClosed]) : null;
  for (const track of stream?.getTracks() ?? []) track.stop();
  dialog.remove();
  return taken;
}

/** Return the square in the middle of the frame, which the viewfinder shows. */
function shoot(video) {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.getContext("2d").drawImage(video, (side - video.videoWidth) / 2, (side - video.videoHeight) / 2);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
