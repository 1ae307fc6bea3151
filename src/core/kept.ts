/**
 * Remembers what a function made of an object for as long as somebody holds that object. For keys
 * that never change: what was made of them would be the same again.
 */
export function kept<Key extends object, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new WeakMap<Key, Value>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}
