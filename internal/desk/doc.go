// Package desk holds the use cases on keys that every front end shares: naming a key,
// issuing, changing, revoking, listing, inspecting, and what keys have used. Commands
// call them, and an admin API may. Arguments and results are plain values; the JSON
// forms are contracts. It knows nothing of flags, streams, exit codes or the
// configuration.
package desk
