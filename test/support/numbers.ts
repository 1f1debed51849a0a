// Numbers as people read them; by hand, because k6's JavaScript engine has no Intl.

/** 316696.6 as "316,696.60". */
export function money(amount: number): string {
  const [whole = '', fraction = ''] = amount.toFixed(2).split('.')
  return `${grouped(whole)}.${fraction}`
}

/** 16692 as "16,692". */
export function count(value: number): string {
  return grouped(String(value))
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',')
}
