/**
 * Counts in a large array of which few places are ever used, such as one for every port. Places lie on pages;
 * a page that was written to is marked, so that reading the result does not walk through all the places that
 * stayed zero.
 */

/** Places on a page, as a shift. */
export const PAGE_SHIFT = 8;

export class SparseCounts {
  /** Count here and mark the page: `counts[place]++; pages[place >>> PAGE_SHIFT] = 1`. */
  readonly counts: Uint32Array;
  readonly pages: Uint8Array;

  /** Room for places 0 up to, not including, `places`. */
  constructor(places: number) {
    this.counts = new Uint32Array(places);
    this.pages = new Uint8Array(Math.ceil(places / (1 << PAGE_SHIFT)));
  }

  /** Calls `visit` for every place with a count, in ascending order. */
  forEach(visit: (flows: number, place: number) => void): void {
    const { counts, pages } = this;
    for (let page = pages.indexOf(1); page >= 0; page = pages.indexOf(1, page + 1)) {
      const end = Math.min((page + 1) << PAGE_SHIFT, counts.length);
      for (let place = page << PAGE_SHIFT; place < end; place++) {
        const flows = counts[place] as number;
        if (flows > 0) visit(flows, place);
      }
    }
  }

  /** Adds all counts of `other`, which has as many places. */
  merge(other: SparseCounts): void {
    other.forEach((flows, place) => {
      this.counts[place] = (this.counts[place] as number) + flows;
      this.pages[place >>> PAGE_SHIFT] = 1;
    });
  }
}
