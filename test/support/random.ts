/** Numbers that look random and are the same for the same seed. */
export type Random = {
  /** From 0 up to, not including, 1. */
  fraction: () => number
  /** Whole, both ends included. */
  integer: (min: number, max: number) => number
  chance: (probability: number) => boolean
  /** One of a list that is not empty. */
  pick: <T>(list: readonly T[]) => T
  /** A UUID of version 4. */
  uuid: () => string
}

/**
 * @param name keeps the numbers of one purpose apart from those of another, so that more draws here change nothing
 *   there
 */
export function createRandom(seed: number, name: string): Random {
  let state = hash(`${seed}/${name}`)
  // Mulberry32: 32 bits of state are plenty for a test, and the whole of it can be read at a glance.
  const fraction = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (min: number, max: number) => min + Math.floor(fraction() * (max - min + 1))
  const hex = (digits: number) => Array.from({ length: digits }, () => integer(0, 15).toString(16)).join('')
  return {
    fraction,
    integer,
    chance: probability => fraction() < probability,
    pick(list) {
      if (list.length === 0) throw new Error('nothing to pick from')
      return list[integer(0, list.length - 1)] as (typeof list)[number]
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${'89ab'.charAt(integer(0, 3))}${hex(3)}-${hex(12)}`
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
