/** Keeps a resource and says how it is released. */
export type Own = <T>(resource: T, release: (resource: T) => unknown) => T

export type Owner = {
  own: Own
  /** Releases everything in reverse order; goes on when one release fails, and throws the first failure at the end. */
  release: () => Promise<void>
}

/** For what is opened step by step outside a test, or within one whose hooks run in order of registration. */
export function createOwner(): Owner {
  const releases: (() => unknown)[] = []
  return {
    own(resource, release) {
      releases.push(() => release(resource))
      return resource
    },
    async release() {
      const failures: unknown[] = []
      for (const each of releases.splice(0).reverse()) {
        try {
          await each()
        } catch (error) {
          failures.push(error)
        }
      }
      if (failures.length > 0) throw failures[0]
    }
  }
}

const owners = new WeakMap<object, Owner>()

/**
 * The owner that ends with the test, or with the test file when it is given `{ after }` of node:test. A test has one,
 * so that what runs in a directory ends before the directory is removed.
 */
export function ownerOf(test: { after: (release: () => Promise<void>) => void }): Own {
  const owner = owners.get(test) ?? createOwner()
  if (!owners.has(test)) {
    owners.set(test, owner)
    test.after(() => owner.release())
  }
  return owner.own
}
