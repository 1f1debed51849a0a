/** What happens next: events by time, those of the same time in the order in which they were added. */
export class EventQueue<Event> {
  // A binary heap: each entry comes before the two at twice its place.
  readonly #entries: { atMs: number; order: number; event: Event }[] = []
  #order = 0

  add(atMs: number, event: Event): void {
    const entries = this.#entries
    const entry = { atMs, order: this.#order++, event }
    let place = entries.length
    while (place > 0) {
      const above = (place - 1) >> 1
      const other = entries[above]
      if (other === undefined || comesBefore(other, entry)) break
      entries[place] = other
      place = above
    }
    entries[place] = entry
  }

  /** Removes the next event; undefined when there is none. */
  next(): { atMs: number; event: Event } | undefined {
    const entries = this.#entries
    const top = entries[0]
    const last = entries.pop()
    if (top === undefined || last === undefined || top === last) return top
    let place = 0
    while (true) {
      const left = place * 2 + 1
      let [below, other] = [left, entries[left]]
      const right = entries[left + 1]
      if (other === undefined) break
      if (right !== undefined && comesBefore(right, other)) [below, other] = [left + 1, right]
      if (comesBefore(last, other)) break
      entries[place] = other
      place = below
    }
    entries[place] = last
    return top
  }
}

type Placed = { atMs: number; order: number }

function comesBefore(a: Placed, b: Placed): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
