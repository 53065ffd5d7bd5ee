/** True when two meetings take the same time. */
export function overlaps(one, other) {
  return one.start <= other.end && other.start <= one.end;
}

/** True when any two of the meetings overlap. */
export function hasConflict(meetings) {
  for (let first = 0; first < meetings.length; first += 1) {
    for (let second = first + 1; second < meetings.length; second += 1) {
      if (overlaps(meetings[first], meetings[second])) return true;
    }
  }
  return false;
}

/** The free slots of a day that are at least so many minutes long. */
export function freeSlots(meetings, day, minutes) {
  const slots = [];
  let from = day.start;
  for (const meeting of [...meetings].sort((one, other) => one.start - other.start)) {
    if (meeting.start - from >= minutes) slots.push({ start: from, end: meeting.start });
    from = Math.max(from, meeting.end);
  }
  if (day.end - from >= minutes) slots.push({ start: from, end: day.end });
  return slots;
}
