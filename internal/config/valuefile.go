package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxValueFile is more than any secret or list of keys needs.
const maxValueFile = 64 << 10

// ReadSecretFile returns the text of a file that holds one secret, without one
// line end (LF or CRLF) at its end, which editors and echo leave. It wants 1 byte
// to 64 KiB. The error names the file, and nothing of its content.
func ReadSecretFile(path string) (string, error) {
	text, err := readValue(path)
	if err != nil {
		return "", fmt.Errorf("%s %w", printable(path), err)
	}
	return text, nil
}

// ReadSecret is [ReadSecretFile] for a stream, whose name its errors leave out.
func ReadSecret(in io.Reader) (string, error) {
	content, err := io.ReadAll(io.LimitReader(in, maxValueFile+1))
	switch {
	case err != nil:
		return "", cannotBeRead(err)
	case len(content) > maxValueFile:
		return "", errors.New("is larger than 64 KiB; name the file that holds the value alone")
	}
	text := string(content)
	if line, found := strings.CutSuffix(text, "\n"); found {
		text = strings.TrimSuffix(line, "\r")
	}
	if text == "" {
		return "", errors.New("is empty; write the value into it")
	}
	return text, nil
}

// readValue is ReadSecretFile with errors that go on from the file's name.
func readValue(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", cannotBeRead(err)
	}
	defer func() { _ = file.Close() }()
	return ReadSecret(file)
}

func cannotBeRead(err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}
