// Go takes functions without a body, as main_wasip1.go has them, where a package has a
// file of assembly.
