// Package app wires the program: from a configuration it opens the listeners, the
// gateway, the store, the metrics and the log, and it runs and closes them together.
// serve and the tests of the whole system start it the same way. It decides nothing
// about a request.
package app
