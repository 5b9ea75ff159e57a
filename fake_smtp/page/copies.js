// Which mails of a list are copies of each other. Knows no elements.

/** What makes two mails the same one: the key, or the Message-ID where there is none. */
const identity = ({ key, message_id }) => key ?? message_id;

/** Remember that this mail has so many copies by now, for rows that were fetched before it came. */
export function remember(counts, entry) {
  const name = identity(entry);
  if (name != null && entry.copies > 1) counts.set(name, Math.max(entry.copies, counts.get(name) ?? 0));
}

/** Return the rows with `copy` (which one it is) and `copies` (of how many). */
export function marked(rows, counts) {
  const groups = Map.groupBy(rows, identity);
  return rows.map((entry) => {
    const name = identity(entry);
    if (name == null) return entry;
    const group = groups.get(name);
    const copies = Math.max(group.length, counts.get(name) ?? 1, ...group.map((one) => one.copies ?? 1));
    const place = group.filter((one) => one.mail <= entry.mail).length;
    return { ...entry, copy: entry.copy ?? place, copies };
  });
}
