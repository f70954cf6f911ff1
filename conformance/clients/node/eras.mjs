// The eras of the protocol, by the version that stands for each.
export const eras = { legacy: '2025-11-25', modern: '2026-07-28' };
