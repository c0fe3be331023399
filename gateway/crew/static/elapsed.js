// Milliseconds since the page opened, with the time that the tablet slept.
// performance.now() may stand still while a tablet sleeps, and the wall clock may be set at any moment. So the monotonic
// clock counts, unless the wall clock ran clearly further: then the tablet slept, or its clock was set. After either the
// page can no longer tell how old its values are; takeGap() reports that once, and the page requests a new picture.

const SET_MS = 2000; // more than two clocks that run side by side ever differ between two reads
const GAP_MS = 5000; // ten missed ticks

export class ElapsedClock {
  constructor() {
    this.elapsed = 0;
    this.gap = false;
    this.monotonic = performance.now();
    this.wall = Date.now();
  }

  now() {
    const monotonic = performance.now(), wall = Date.now();
    const passed = monotonic - this.monotonic, onTheWall = wall - this.wall;
    const step = onTheWall > passed + SET_MS ? onTheWall : passed;
    this.monotonic = monotonic;
    this.wall = wall;
    this.elapsed += step;
    if (step > GAP_MS) this.gap = true;
    return this.elapsed;
  }

  takeGap() {
    this.now();
    const gap = this.gap;
    this.gap = false;
    return gap;
  }
}
