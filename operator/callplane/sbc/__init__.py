"""The session border controller as data: typed values in, the text of a Kamailio configuration out.

Nothing here runs or reads anything. `callplane sbc render` writes what comes out; call control
speaks to the running program.
"""
