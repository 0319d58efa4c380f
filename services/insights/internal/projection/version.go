package projection

// Version grows with every change after which the same events give another
// projection, or other weekly facts. Where a store has projections of an earlier one, they are rebuilt.
const Version = 2
