/**
 * The places one has been at, to go back and forward through as a browser does
 * with pages: every moment of one session at which the program has stopped.
 * Pure: no vscode.
 *
 *     visit(a) visit(b) visit(c)     a  b [c]
 *     back                           a [b] c
 *     visit(d)                       a  b [d]      what was ahead is forgotten
 *
 * A moment may be forgotten by the adapter meanwhile (its checkpoint was
 * thinned): then it is taken out, and the next one is tried.
 */
export interface VisitedPlace {
  readonly momentId: number;
  readonly timeMs: number;
  readonly branch: number;
}

export type Direction = 'back' | 'forward';

/** Whether the session could go there; `forgotten`: never again. */
export type Going = 'there' | 'forgotten' | 'stayed';

export class VisitedPlaces {
  private places: VisitedPlace[] = [];
  private index = -1;
  private travelling = false;

  /** @param most older ones are dropped */
  constructor(private readonly most: () => number = () => 100) {}

  /** The program has stopped there. While going back or forward that is no new visit. */
  visit(place: VisitedPlace): void {
    if (this.travelling || this.places[this.index]?.momentId === place.momentId) return;
    this.places = [...this.places.slice(0, this.index + 1), place].slice(-Math.max(2, this.most()));
    this.index = this.places.length - 1;
  }

  can(direction: Direction): boolean {
    return direction === 'back' ? this.index > 0 : this.index < this.places.length - 1;
  }

  /** All of them, the latest visit first. */
  list(): { readonly place: VisitedPlace; readonly here: boolean }[] {
    return this.places.map((place, index) => ({ place, here: index === this.index })).reverse();
  }

  /**
   * Goes to the place before or after, or on beyond those that are forgotten.
   *
   * @returns whether it arrived, and how many were forgotten on the way
   */
  async go(
    direction: Direction,
    goTo: (place: VisitedPlace) => Promise<Going>,
  ): Promise<{ arrived: boolean; forgotten: number }> {
    const step = direction === 'back' ? -1 : 1;
    return this.travel(
      goTo,
      () => this.index + step,
      (removed) => (removed < this.index ? -1 : 0),
    );
  }

  /** Goes to one of the list. */
  async goToPlace(
    place: VisitedPlace,
    goTo: (place: VisitedPlace) => Promise<Going>,
  ): Promise<{ arrived: boolean; forgotten: number }> {
    const at = this.places.indexOf(place);
    if (at < 0) return { arrived: false, forgotten: 1 };
    let tried = false;
    const next = (): number => (tried ? -1 : ((tried = true), at));
    return this.travel(goTo, next, (removed) => (removed < this.index ? -1 : 0));
  }

  private async travel(
    goTo: (place: VisitedPlace) => Promise<Going>,
    next: () => number,
    shift: (removed: number) => number,
  ): Promise<{ arrived: boolean; forgotten: number }> {
    let forgotten = 0;
    this.travelling = true;
    try {
      for (let at = next(); at >= 0 && at < this.places.length; at = next()) {
        const going = await goTo(this.places[at]!);
        if (going === 'stayed') return { arrived: false, forgotten };
        if (going === 'there') {
          this.index = at;
          return { arrived: true, forgotten };
        }
        forgotten++;
        this.places.splice(at, 1);
        this.index += shift(at);
      }
      return { arrived: false, forgotten };
    } finally {
      this.travelling = false;
    }
  }
}
