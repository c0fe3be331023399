// Hands the key of the queue from a page that ends to the page that replaces it, through the memory of the service worker.
//
// A report that is loaded again without contact can be shown only by a page that has the key, and the gateway cannot give
// it then. The worker (service_worker.js) has the key for the moment between the two pages, gives it once, and drops it
// soon; it is on no disk, and scripts cannot read its bytes, since it is a CryptoKey that cannot be exported.

const WAIT_MS = 3000; // the worker itself waits shorter for a page that has not quite ended

// Give the key that the queue has when this page ends. Returns a function after which this page gives none: its member's
// session has ended.
export function handKeyOver(queue) {
  const give = () => {
    if (queue.key !== null) navigator.serviceWorker?.controller?.postMessage({ act: "hold", key: queue.key, owner: queue.owner });
  };
  addEventListener("pagehide", give);
  return () => {
    removeEventListener("pagehide", give);
    dropKey();
  };
}

// Take the key of the page before: {key, owner}, or null.
export async function takeKey() {
  const worker = navigator.serviceWorker?.controller;
  if (!worker) return null;
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), WAIT_MS);
    port1.onmessage = ({ data }) => resolve(data);
    worker.postMessage({ act: "take" }, [port2]);
  });
}

// A page that came from the gateway needs no key of a page before it, which may be that of another member.
export function dropKey() { navigator.serviceWorker?.controller?.postMessage({ act: "drop" }); }
