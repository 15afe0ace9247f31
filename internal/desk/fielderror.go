package desk

import "fmt"

// FieldError says what is wrong with one field of what was asked for. Each front end
// names fields in its own way: a command by its flag.
type FieldError struct {
	Field   string // limit, routes, ttl, window, label or method
	Problem string // continues the field's name
	Err     error  // in place of problem
}

// Error names the field as it is.
func (e FieldError) Error() string { return e.Field + e.rest() }

// Named is the error with another name for the field, such as --limit.
func (e FieldError) Named(name string) string {
	if e.Err != nil {
		return name + e.rest()
	}
	return "not allowed: " + name + e.rest()
}

func (e FieldError) rest() string {
	if e.Err != nil {
		return ": " + e.Err.Error()
	}
	return " " + e.Problem
}

// Unwrap is nil if the field breaks one of desk's own rules.
func (e FieldError) Unwrap() error { return e.Err }

func wrongField(field, problem string, args ...any) error {
	return FieldError{Field: field, Problem: fmt.Sprintf(problem, args...)}
}
