"""Scoring LMs as Ray actors on this machine, one on each device.

They run the engine; Ray starts, calls and watches their processes. Only the registration of the backend imports this
package, and `adapters/offline` its way to start Ray.
"""
