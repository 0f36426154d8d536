"""Everything on one page for whoever was just paged: what fires, what changed, who can help, what helped before.

Answered from what is stored, in a constant number of queries. Every section stands alone: it says how fresh it is, and
where something is not known, why and what to do about it.
"""
