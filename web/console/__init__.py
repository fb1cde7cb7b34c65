"""The connector console for administrators."""
