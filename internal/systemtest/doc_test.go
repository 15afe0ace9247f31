// Package systemtest tests the whole program: it starts gateways as serve does, or
// tykctl as a process, with a real Redis and a backend, and looks at what comes out.
package systemtest
