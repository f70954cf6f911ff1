// Nothing is in here to be measured.

package sample
